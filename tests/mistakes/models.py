"""Mistakes with model files, and systems that a model was not made for."""

from __future__ import annotations

import zipfile

import torch
from hostile_code import HOSTILE, with_line
from mistakes.place import Place, Section
from systems import liquid, moved
from weight_files import write_bapst, write_botan

from glassml.data import Dataset
from glassml.export import save_model
from glassml.importing import imported, published
from glassml.models import build

mistake = Section("Models and their domain")

SHIPPED = "kob_andersen_T0.64_multitime"


@mistake("The name of a shipped model is misspelt")
def no_such_model(at: Place) -> str:
    return at.refused("info", "kob_anderson_T0.44")


@mistake("Another file is given as the model")
def no_model(at: Place) -> str:
    return at.refused(*at.predict("run.dump", model=at.dump()))


@mistake("A model file was copied incompletely")
def truncated(at: Place) -> str:
    file = at.folder / "model.pt"
    file.write_bytes(at.models().read_bytes()[:-500])
    return at.refused("info", file.name)


@mistake("Bytes of a model file were changed")
def damaged(at: Place) -> str:
    data = bytearray(at.model().read_bytes())
    with zipfile.ZipFile(at.folder / "model.pt") as archive:
        weights = max(archive.infolist(), key=lambda member: member.header_offset)
    data[weights.header_offset + 30 + len(weights.filename) + 70] ^= 1
    (at.folder / "model.pt").write_bytes(bytes(data))
    at.dump()
    return at.refused(*at.predict("run.dump", "--species", "A,B", model="model.pt"))


@mistake("A model file contains code that does more than calculate")
def stranger(at: Place) -> str:
    with_line(at.models(), HOSTILE[0][0], at.folder / "model.pt")
    at.dump()
    return at.refused(*at.predict("run.dump", "--species", "A,B", model="model.pt"))


@mistake("A model of LJ units is used on a file in angstrom")
def other_unit(at: Place) -> str:
    options = ("--species", "A,B", "--length-unit", "angstrom")
    return at.refused(*at.predict(at.dump().name, *options))


@mistake("The model has other species than the liquid")
def other_species(at: Place) -> str:
    return at.refused(*at.predict(at.dump().name, "--species", "Ni,P"))


@mistake("A model that reads energies is used on a file without them")
def no_energies(at: Place) -> str:
    model = at.models(scalar_inputs=("potential_energy",))
    return at.refused(*at.predict(at.dump().name, "--species", "A,B", model=model))


@mistake("A model of averaged positions is used on a single frame")
def single_frame(at: Place) -> str:
    model = "kob_andersen_T0.44_average"
    return at.refused(*at.predict(at.dump().name, "--species", "A,B", model=model))


@mistake("A model of inherent structures is used on thermal positions")
def thermal_positions(at: Place) -> str:
    model = build("analytic")
    model.positions = "inherent"
    save_model(model, at.folder / "inherent.pt", dtype="float64")
    return at.warned(*at.predict(at.dump().name, "--species", "A,B", model="inherent.pt"))


@mistake("A model is used at another temperature")
def other_temperature(at: Place) -> str:
    return at.warned(*at.predict("kob_andersen_T0.64", model="kob_andersen_T0.44"))


@mistake("A model is used at another density")
def other_density(at: Place) -> str:
    here = Dataset("kob_andersen_T0.64")[0]
    dense = moved(here, positions=0.9 * here.positions, cell=0.9 * here.cell)
    return at.warned(*at.predict(at.dump(dense).name, "--species", "A,B", model=SHIPPED))


@mistake("Lengths are ten times too small")
def tiny_lengths(at: Place) -> str:
    here = liquid(60, seed=1)
    tiny = moved(here, positions=0.1 * here.positions, cell=0.1 * here.cell)
    options = ("--species", "A,B", "--length-unit", "lj")
    return at.refused(*at.predict(at.dump(tiny).name, *options))


@mistake("The numbers of a TensorFlow checkpoint were not copied")
def no_numbers(at: Place) -> str:
    write_bapst(at.folder / "net.ckpt.index")
    (at.folder / "net.ckpt.data-00000-of-00001").unlink()
    return at.refused("import", "bapst", "net.ckpt.index", "-o", "model.pt", "--time", "0.13")


@mistake("The file of the numbers is named in place of the table")
def numbers_for_table(at: Place) -> str:
    write_bapst(at.folder / "net.ckpt.index")
    given = "net.ckpt.data-00000-of-00001"
    return at.refused("import", "bapst", given, "-o", "model.pt", "--time", "0.13")


@mistake("The time of imported weights is not given")
def no_time_of_weights(at: Place) -> str:
    write_bapst(at.folder / "net.ckpt.index")
    return at.refused("import", "bapst", "net.ckpt.index", "-o", "model.pt")


@mistake("Weights of another network are imported")
def other_network(at: Place) -> str:
    torch.save(torch.nn.Linear(2, 3).state_dict(), at.folder / "net.pth")
    return at.refused("import", "botan", "net.pth", "-o", "model.pt", "--time", "4120")


@mistake("A file of a whole model is imported, not one of its parameters")
def whole_model(at: Place) -> str:
    torch.save(torch.nn.Linear(2, 3), at.folder / "net.pth")
    return at.refused("import", "botan", "net.pth", "-o", "model.pt", "--time", "4120")


@mistake("A published file of BOTAN is imported as a model of the propensity")
def start_as_model(at: Place) -> str:
    file = write_botan(at.folder / "model1.pth")  # random numbers stand in for the published ones
    model = imported("botan", file, times=[1.0]).model
    numbers = {name: value.detach() for name, value in model.named_parameters()}
    entry = (published._checksum(numbers), published._BOTAN_START)
    at.monkeypatch.setitem(published._KNOWN, *entry)
    return at.refused("import", "botan", file.name, "-o", "model.pt", "--time", "4120")
