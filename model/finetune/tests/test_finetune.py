"""The trainer on a tiny model with random weights: what is quick must be the same as what is simple."""

import copy
import json
import random

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from redraft_finetune import chart, consistency, data, forward, pieces, samples, synthetic, train
from redraft_finetune.export import gguf_name


@pytest.fixture
def core():
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    )
    return Qwen2ForCausalLM(config).eval()


def sample(seed, prompt=20, answer=12):
    rng = random.Random(seed)
    tokens = [rng.randrange(97) for _ in range(prompt + answer)]
    return samples.Sample(str(seed), tokens[:prompt], tokens[prompt:], [1] * answer)


@pytest.fixture
def adapter(core):
    """An adapter that has learnt something: both of its factors are random."""
    made = train.Adapter(core, rank=4, alpha=8)
    made.take({name: torch.randn_like(master) / 8 for name, master in made.masters.items()})
    return made


def by_peft(adapter, one):
    ids = torch.tensor([one.prompt + one.answer[:-1]])
    return adapter.core.model(input_ids=ids).last_hidden_state[0, len(one.prompt) - 1 :]


def test_samples_in_one_sequence_give_what_peft_gives_for_each_alone(adapter, monkeypatch):
    monkeypatch.setattr(forward, "BLOCK", 7)
    pack = [sample(1), sample(2, 7, 5), sample(3, 30, 1)]
    alone = torch.cat([by_peft(adapter, one) for one in pack])
    torch.testing.assert_close(adapter.forward.answers(pack, "cpu"), alone, rtol=1e-4, atol=1e-5)


def test_the_gradients_are_those_of_peft(adapter, monkeypatch):
    monkeypatch.setattr(forward, "BLOCK", 9)
    pack = [sample(8), sample(9, 25, 9)]
    sum((by_peft(adapter, one) ** 3).sum() for one in pack).backward()
    (adapter.forward.answers(pack, "cpu") ** 3).sum().backward()
    for name, parameter in adapter.named.items():
        torch.testing.assert_close(adapter.masters[name].grad, parameter.grad, rtol=1e-3, atol=1e-4, msg=name)


def test_a_trajectory_ends_at_what_greedy_decoding_writes(adapter):
    core = adapter.core
    prefix = sample(5).prompt
    greedy = list(prefix)
    for _ in range(9):
        greedy.append(int(core(input_ids=torch.tensor([greedy])).logits[0, -1].argmax()))
    trajectory = consistency.jacobi(core, prefix, [3] * 9, "cpu")
    assert trajectory.guesses[-1] == greedy[len(prefix) :]


def test_the_consistency_loss_of_several_trajectories_is_the_mean_over_their_tokens(adapter):
    some = [consistency.Trajectory(sample(5, 9).prompt, [[1, 2, 3, 4], [1, 7, 8, 9]])]
    some.append(consistency.Trajectory(sample(6, 4).prompt, [[5, 6, 7], [8, 6, 9]]))
    one, other, both = (consistency.loss(adapter, part, random.Random(1), "cpu") for part in (some[:1], some[1:], some))
    torch.testing.assert_close(both, (one + other) / 2)  # three tokens of each: behind the first wrong one


def test_free_text_has_no_prompt_and_leaves_room_for_a_block():
    one = sample(3)
    for seed in range(50):
        rng = random.Random(seed)
        prefix, first = consistency.begun(one, 4, True, rng)
        assert prefix == one.answer[: len(prefix)] and 4 <= len(prefix) <= 8 and len(first) == 4
        prefix, first = consistency.begun(one, 4, False, rng)
        assert prefix[:20] == one.prompt and len(prefix) < 28 and set(first) <= set(one.prompt)


def test_an_adapter_learns_and_a_run_goes_on_where_it_was(core, tmp_path):
    torch.manual_seed(1)
    adapter = train.Adapter(core, rank=4, alpha=8)
    optimizer = torch.optim.AdamW(adapter.masters.values(), lr=1e-2)
    one = sample(6)
    run = train.Run(tmp_path)
    first = last = None
    for _ in range(30):
        loss, weight, _ = train.losses(adapter, [one], "cpu")
        loss.backward()
        assert adapter.take_gradients(1 / float(weight), 1.0) > 0
        optimizer.step()
        adapter.publish()
        first, last = first or float(loss), float(loss)
    assert last < 0.9 * first
    run.state |= {"step": 30, "samples": 30}
    run.log(loss=last)
    run.save(adapter, optimizer)
    run.state |= {"step": 31}
    run.log(loss=last)
    chart.draw(run.log_path, tmp_path / "chart.svg")
    assert "polyline" in (tmp_path / "chart.svg").read_text()

    again = train.Run(tmp_path)
    before = {name: master.detach().clone() for name, master in adapter.masters.items()}
    adapter.take({name: torch.zeros_like(value) for name, value in before.items()})
    again.restore(adapter, optimizer)
    assert again.state["step"] == 30 and len(again.lines()) == 1
    assert all(torch.equal(before[name], master) for name, master in adapter.masters.items())
    assert {gguf_name(name) for name in adapter.masters} >= {
        "blk.1.ffn_down.weight.lora_a",
        "blk.0.attn_q.weight.lora_b",
    }


@pytest.fixture
def command(core, tmp_path, monkeypatch):
    """The trainer's command on the tiny model; gives the run's log."""
    rows = [{"id": str(n), "prompt": sample(n).prompt, "original": [1, 2, 3], "answer": sample(n).answer} for n in range(9)]
    for name in ("train", "held_out"):
        samples.write(tmp_path / f"{name}.npz", rows)
    monkeypatch.setattr(train.base, "load", lambda path: copy.deepcopy(core))

    def run(*more):
        given = ["--gguf", "none", "--data", str(tmp_path), "--run", str(tmp_path / "run"), "--minutes", "0.02"]
        monkeypatch.setattr("sys.argv", ["train", *given, "--step-tokens", "60", "--threads", "1", *more])
        train.main()
        return [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]

    return run


def test_what_the_model_is_sure_of_is_not_learnt(command):
    with pytest.raises(SystemExit, match="nothing is left"):
        command("--sure", "1e-9")
    log = command("--sure", "0.9")
    assert log[-1]["step"] > 0 and all(60 <= row["learnt"] <= row["tokens"] for row in log[1:])


def test_a_run_learns_from_trajectories_too(command, core, tmp_path):
    trajectory = consistency.jacobi(core, sample(4).prompt, [3] * 9, "cpu")
    (tmp_path / "trajectories.jsonl").write_text(json.dumps(vars(trajectory)) + "\n")
    log = command("--trajectories", str(tmp_path / "trajectories.jsonl"), "--rate", "1e-2", "--minutes", "0.1")
    assert log[-1]["consistency_loss"] < log[1]["consistency_loss"]


def test_no_gradient_of_a_layer_is_longer_than_the_limit(core):
    adapter = train.Adapter(core, rank=2, alpha=4)
    loss, weight, _ = train.losses(adapter, [sample(7)], "cpu")
    (1000 * loss).backward()
    adapter.take_gradients(1 / float(weight), 0.5)
    for layer in "01":
        parts = [m.grad for name, m in adapter.masters.items() if f".layers.{layer}." in name]
        assert torch.cat([part.flatten() for part in parts]).norm() <= 0.5001


def test_weights_are_high_at_edits_and_where_a_copy_can_take_the_wrong_turn():
    original = list(range(40))
    answer = original[:20] + [90, 91] + original[20:]
    weighed = samples.weights(original, answer)
    assert weighed[20] == weighed[21] == weighed[16] == samples.NEAR_EDIT
    assert weighed[0] == weighed[-1] == samples.BORDER
    assert weighed[11] == samples.COPIED
    twice = [*range(10, 20), 1, 2, 3, 50, *range(20, 30), 1, 2, 3, 60, *range(30, 40)]
    assert samples.weights(twice, twice)[13] == samples.CROSSROADS


def test_edits_are_what_is_not_copied():
    original = list(range(60))
    assert samples.edits(original, original) == []
    assert samples.edits(original, original[:20] + original[30:]) == [(20, 20)]
    assert samples.edits(original, original[:20] + [90] + original[21:]) == [(20, 21)]
    assert samples.edits(original, original[:20] + [90, 91] + original[20:50]) == [(20, 22)]
    assert samples.edits(original, [90, *original, 91]) == [(0, 1), (61, 62)]


def test_samples_are_written_and_read(tmp_path):
    rows = [
        {"id": "a", "prompt": [1, 2, 3], "original": [4, 5], "answer": [4, 6, 5]},
        {"id": "b", "prompt": [1] * 50, "original": [4], "answer": [4] * 9},
    ]
    assert samples.write(tmp_path / "s.npz", rows) == 2
    [short] = samples.read(tmp_path / "s.npz", 20)
    assert (short.id, short.prompt, short.answer, len(short.weights)) == ("a", [1, 2, 3], [4, 6, 5], 3)
    both = samples.read(tmp_path / "s.npz", 100)
    assert both[1].prompt == [1] * 50 and both[1].answer == [4] * 9
    order = samples.packs(both, 1000, seed=3)
    first = [one.id for one in next(order)]
    rest = samples.packs(both, 1000, seed=3, skip=len(first))
    assert [one.id for one in next(rest)] == [one.id for one in next(order)]


def test_synthetic_edits_change_real_code():
    text = "import os\n\n\ndef one(a):\n    x = a + 1\n    y = len(x)\n    return max(x, y)\n\n\ndef two():\n    print(one(2))\n    print(3)\n\n\nclass A:\n    pass\n"
    made = {synthetic.edit(text, "python", random.Random(seed)) for seed in range(300)} - {None}
    kinds = {kind for _, done in made for kind in done.split(", ")}
    assert {"rename", "add parameter", "wrap", "delete"} <= kinds
    assert all(edited != text and edited.endswith("\n") for edited, _ in made)


def test_tasks_that_ask_for_no_change():
    task = {"id": "a", "original": "1\n", "expected": "2\n", "suggestion": "2", "instruction": ""}
    assert data.already_there(task)["original"] == data.already_there(task)["expected"] == "2\n"
    foreign = data.does_not_fit(task, {"suggestion": "other", "instruction": "x"})
    assert foreign["expected"] == foreign["original"] == "1\n" and foreign["suggestion"] == "other"


def test_the_rate_rises_stays_and_falls():
    assert train.rate(0) == 0 and train.rate(0.3) == 1 and train.rate(0.8) == pytest.approx(0.5) and train.rate(1) == 0


def test_pieces_make_up_the_file_again(tmp_path):
    whole, folder = tmp_path / "m.gguf", tmp_path / "pieces"
    whole.write_bytes(bytes(range(256)) * 10)
    assert pieces.split(whole, folder, 1000) == 3
    (tmp_path / "there").mkdir()
    pieces.join(folder, tmp_path / "there" / "m.gguf")
    assert (tmp_path / "there" / "m.gguf").read_bytes() == whole.read_bytes()
    (folder / "m.gguf.001").write_bytes(b"x")
    with pytest.raises(SystemExit):
        pieces.join(folder, tmp_path / "there" / "m.gguf")
