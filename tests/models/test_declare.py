"""What a model says of itself: how it is found, and how a wrong declaration is refused."""

import numpy as np
import pytest

from minivae.cli import train_options
from minivae.errors import OptionError
from minivae.models import MODELS, VAE
from minivae.models.base import Model
from minivae.models.declare import ABILITIES, Declared
from minivae.models.network import Network
from minivae.models.registry import COMMON, NETWORKS, Option

PENALTY = Option(float, 0.5, "cost of a code")


@pytest.fixture(autouse=True)
def forgotten():
    """What a test defines is gone after it."""
    known = dict(MODELS), dict(NETWORKS)
    yield
    for registry, before in zip((MODELS, NETWORKS), known, strict=True):
        registry.clear()
        registry.update(before)


def define(base=Model, **attributes):
    return type("Toy", (base,), {"__module__": "toys", "__qualname__": "Toy", **attributes})


def test_a_class_is_found_by_being_defined():
    toy = define(kind="toy")
    assert MODELS["toy"] is toy
    assert toy.title == "a Toy"
    assert next(iter(MODELS)) == "vae"
    assert list(MODELS)[-1] == "toy"


def test_the_same_class_may_be_defined_again():
    define(kind="toy")
    again = define(kind="toy", title="another toy")
    assert MODELS["toy"] is again


def test_a_base_of_others_is_not_listed():
    class Base(Model, listed=False):
        pass

    assert Base not in MODELS.values()
    assert define(Base, kind="toy") in MODELS.values()


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({}, ("no kind of its own", "kind = 'toy'")),
        ({"kind": ""}, ("no kind of its own",)),
        ({"kind": 3}, ("no kind of its own",)),
        ({"kind": "vae"}, ("'vae'", "taken by minivae.models.vae.VAE")),
        ({"options": {"penalty": Option(None, 1.0, "cost")}}, ("'penalty'", "type None", "float")),
        ({"options": {"penalty": Option(list, [], "cost")}}, ("'penalty'", "<class 'list'>")),
        ({"options": {"penalty": 0.5}}, ("'penalty' as 0.5", "Option(type, default, help)")),
        ({"options": {"penalty": Option(float, 0.5, "")}}, ("'penalty'", "without help")),
        ({"options": {"lr": PENALTY}}, ("'lr'", "name is taken")),
        ({"options": {"hidden": PENALTY}}, ("'hidden'", "name is taken")),
        ({"options": {"decoder": PENALTY}}, ("'decoder'", "name is taken")),
        ({"options": {"a-b": PENALTY}}, ("'a-b'",)),
        ({"options": {"samples": PENALTY}}, ("'samples' as float", "something else")),
        ({"can": {"fly"}}, ("can 'fly'", "encode, reconstruct")),
        ({"can": {"encode"}}, ("can 'encode'", "does not define encode")),
        ({"can": {"reconstruct"}}, ("does not define reconstruct",)),
        ({"can": {"bound"}}, ("does not define elbo",)),
        ({"can": {"condition"}}, ("does not define find",)),
        ({"terms": {}}, ("no terms",)),
        ({"terms": {"nll": ""}}, ("no terms",)),
        ({"columns": ("loss", "nil")}, ("'nil'", "not recorded")),
    ],
)
def test_a_wrong_declaration_is_refused_when_the_class_is_defined(refuses, attributes, words):
    before = dict(MODELS)
    kind = {} if attributes == {} else {"kind": "toy"}
    with refuses(OptionError, "Toy", *words):
        define(**{**kind, **attributes})
    assert before == MODELS


def test_a_subclass_needs_a_kind_of_its_own(refuses):
    with refuses(OptionError, "no kind of its own"):
        define(VAE)


def test_a_subclass_has_what_its_base_says_but_for_what_may_not_hold():
    other = define(VAE, kind="other")
    assert other.can == VAE.can
    assert other.options == VAE.options
    assert (VAE.plain, other.plain) == (True, False)
    assert (other.title, other.switch) == ("a Toy", ("", ""))


def test_the_common_options_are_those_of_the_command():
    import argparse

    parser = argparse.ArgumentParser()
    train_options.configure(parser)
    flags = {word[2:].replace("-", "_") for a in parser._actions for word in a.option_strings}
    owners = [*MODELS.values(), *NETWORKS.values()]
    own = {name for owner in owners for name in owner.options}
    switches = {model.switch[0] for model in MODELS.values()}
    assert {flag for flag in flags if len(flag) > 1} - {"help"} - own - switches == COMMON


def test_every_ability_is_some_models():
    assert set(ABILITIES) == set().union(*(model.can for model in MODELS.values()))


def test_an_option_that_is_not_declared_is_refused(refuses):
    with refuses(OptionError, "hiden", "a VAE", "hidden, activation"):
        VAE(4, hiden=(3,), rng=np.random.default_rng(0))


def test_declared_names_are_documented():
    documented = vars(Declared)["__annotations__"]
    assert {"kind", "title", "options", "refused", "defaults", "terms", "can"} <= set(documented)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({}, ("no name of its own",)),
        ({"name": "mlp"}, ("'mlp'", "taken by minivae.models.mlp.MLP")),
        ({"options": {"kernel": Option(None, 4, "width")}}, ("'kernel'", "type None")),
        ({"options": {"samples": Option(int, 4, "how many")}}, ("'samples'", "name is taken")),
        ({"options": {"hidden": Option(int, 4, "width")}}, ("'hidden' as int", "something else")),
    ],
)
def test_a_network_that_declares_itself_wrongly_is_refused(refuses, attributes, words):
    name = {} if attributes == {} else {"name": "toy"}
    before = dict(NETWORKS)
    with refuses(OptionError, "Net", *words):
        type("Net", (Network,), {**name, **attributes})
    assert before == NETWORKS
