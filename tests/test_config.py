import pytest

from agentrl.config import RunConfig
from agentrl.errors import ConfigError

MINIMAL = '[environment]\nname = "household"\n'


def run_file(tmp_path, text=MINIMAL, name="run.toml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_defaults_fill_what_a_run_file_leaves_out(tmp_path):
    run = RunConfig.load(run_file(tmp_path))
    assert (run.environment.name, run.seed, run.rollout.group_size) == ("household", 0, 8)


def test_toml_json_and_python_give_the_same_run(tmp_path):
    run = RunConfig.load(run_file(tmp_path, MINIMAL + "args = { difficulty = 'quick' }\n"))
    again = RunConfig.load(run_file(tmp_path, run.model_dump_json(), "config.json"))
    python = RunConfig.parse({"environment": {"name": "household", "args": {"difficulty": "quick"}}})
    assert run == again == python


def test_overrides_set_one_leaf_each_with_toml_values_or_plain_text(tmp_path):
    overrides = ["seed=7", "rollout.group_size=4", "environment.args.difficulty=quick", "algorithm.args.discount=0.9"]
    run = RunConfig.load(run_file(tmp_path), overrides)
    assert (run.seed, run.rollout.group_size) == (7, 4)
    assert run.environment.args == {"difficulty": "quick"}
    assert run.algorithm.args == {"discount": 0.9}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINIMAL + "[rollout]\ngroup_sise = 4\n", "rollout.group_sise: unknown key; did you mean 'group_size'?"),
        (MINIMAL + "[rolout]\ngroup_size = 4\n", "rolout: unknown key; did you mean 'rollout'?"),
        (MINIMAL + "[rollout]\ngroup_size = 0\n", "rollout.group_size = 0: Input should be greater than 0"),
        (MINIMAL + "[optimizer]\nname = 'adam'\n", "optimizer.name = 'adam': Input should be 'adamw' or 'muon'"),
        ("seed = 1\n", "environment = {'seed': 1}: Field required"),
        ("seed = = 1\n", "is no valid toml file"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        RunConfig.load(run_file(tmp_path, text))
    assert message in str(caught.value)


def test_all_problems_are_named_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        RunConfig.load(run_file(tmp_path, MINIMAL + "sead = 1\n[rollout]\ngroup_size = -1\n"))
    assert "rollout.group_size" in str(caught.value)
    assert "sead" in str(caught.value)


def test_a_missing_file_and_a_malformed_override_are_named(tmp_path):
    with pytest.raises(ConfigError, match="no run file at"):
        RunConfig.load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"part\.leaf=value; got 'seed'"):
        RunConfig.load(run_file(tmp_path), ["seed"])
    with pytest.raises(ConfigError, match="which is a value, not a part"):
        RunConfig.load(run_file(tmp_path), ["environment.name.x=1"])
