// Marks pictures of several panels, which site.css does not shrink to the width of a telephone.
addEventListener("load", () => {
  for (const image of document.querySelectorAll("article img")) {
    if (image.naturalWidth > 1200) image.classList.add("wide");
  }
});
