"""NoiseCallback in a real Trainer, with a small model made from a config."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from cases import same

import torchnoise as tn
from torchnoise.bridges.held import refuse_deepspeed
from torchnoise.bridges.saved import JSON, TENSORS, read, write
from torchnoise.patch import is_patched

transformers = pytest.importorskip("transformers")
from torchnoise.bridges.transformers import NoiseCallback  # noqa: E402 - skipped where transformers is missing

pytestmark = pytest.mark.filterwarnings("ignore::Warning:transformers", "ignore:.*pin_memory.*:UserWarning")

PLAN = tn.Plan(
    tn.Injection(tn.Uniform(0.1, relative_to="rms"), at=tn.Embeddings()),
    tn.Injection(tn.Gaussian(0.3, relative_to=tn.RunningStd()), at=tn.Activations("**.intermediate")),
    tn.Injection(tn.Gaussian(0.02, relative_to="rms"), at=tn.Weights("bert.encoder")),
    tn.Injection(tn.Gaussian(1.0), at=tn.Gradients(), when=tn.power_decay(eta=1e-6)),
)
PLAIN = tn.Plan(tn.Injection(tn.Uniform(0.1, relative_to="rms"), at=tn.Embeddings()))
LENGTHS = (5, 3, 6, 4, 2, 6)


class Sentences(torch.utils.data.Dataset):
    """Ids from 2 to 29 of several lengths; the label says whether the first id is even."""

    def __len__(self) -> int:
        return 24

    def __getitem__(self, i: int) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(i)
        ids = torch.randint(2, 30, (LENGTHS[i % len(LENGTHS)],), generator=generator)
        return {"input_ids": ids, "labels": int(ids[0]) % 2}


def collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    ids = torch.nn.utils.rnn.pad_sequence([r["input_ids"] for r in rows], batch_first=True)
    return {
        "input_ids": ids,
        "attention_mask": (ids != 0).long(),
        "labels": torch.tensor([r["labels"] for r in rows]),
    }


def bert() -> Any:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=8,
    )
    return transformers.BertForSequenceClassification(config)


def trainer_for(folder: Path, callback: Any = None, model: Any = None, more: Any = (), **changes: Any) -> Any:
    settings = {
        "max_steps": 6,
        "per_device_train_batch_size": 6,
        "per_device_eval_batch_size": 6,
        "learning_rate": 1e-2,
        "lr_scheduler_type": "constant",
        "save_strategy": "no",
        "report_to": [],
        "use_cpu": True,
        "disable_tqdm": True,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "dataloader_pin_memory": False,
        **changes,
    }
    return transformers.Trainer(
        model=bert() if model is None else model,
        args=transformers.TrainingArguments(output_dir=str(folder), **settings),
        train_dataset=Sentences(),
        eval_dataset=Sentences(),
        data_collator=collate,
        callbacks=[*([] if callback is None else [callback]), *more],
    )


def weights(trainer: Any) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in trainer.model.state_dict().items()}


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)


def patched(model: torch.nn.Module) -> bool:
    return any(is_patched(m) for m in model.modules())


class Watch(transformers.TrainerCallback):
    """Notes the noise's step beside the Trainer's, and does something on the way."""

    def __init__(self, callback: NoiseCallback, at: int = -1, act: Any = None) -> None:
        self.callback, self.at, self.act = callback, at, act
        self.steps: list[tuple[int, int]] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps.append((state.global_step, self.callback.noise.current_step))

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, optimizer: Any = None, **kwargs: Any) -> None:
        if state.global_step == self.at:
            self.act(optimizer)


def test_a_resumed_run_ends_at_the_same_weights(tmp_path: Path) -> None:
    """2 N steps against N and N, bit for bit, with running statistics and micro-batches.

    Broken on purpose: `self.go_to(state.global_step)` and `self.load(...)` taken out of _resume; each was seen here.
    """
    whole = trainer_for(tmp_path / "whole", NoiseCallback(PLAN, seed=3), gradient_accumulation_steps=2)
    whole.train()
    first = trainer_for(
        tmp_path / "half",
        NoiseCallback(PLAN, seed=3),
        gradient_accumulation_steps=2,
        max_steps=3,
        save_strategy="steps",
        save_steps=3,
    )
    first.train()
    assert {JSON, TENSORS} <= {f.name for f in (tmp_path / "half/checkpoint-3").iterdir()}
    callback = NoiseCallback(PLAN, seed=3)
    second = trainer_for(tmp_path / "half", callback, gradient_accumulation_steps=2)
    second.train(resume_from_checkpoint=str(tmp_path / "half/checkpoint-3"))
    assert callback.noise is not None
    assert callback.noise.current_step == 6
    assert equal(weights(whole), weights(second))
    clean = trainer_for(tmp_path / "clean", gradient_accumulation_steps=2)
    clean.train()
    assert not equal(weights(whole), weights(clean))


def test_it_ends_where_tn_fit_ends(tmp_path: Path) -> None:
    """The same batches, the same noise, the same weights: noise does not depend on whose loop it is.

    Broken on purpose: another seed in one of them.
    """

    def without_dropout() -> tuple[Any, torch.optim.Optimizer]:
        model = bert()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        for layer in model.bert.encoder.layer:
            layer.attention.self.dropout.p = 0.0
        return model, torch.optim.SGD(model.parameters(), lr=0.1)

    mine, optimizer = without_dropout()
    loader = torch.utils.data.DataLoader(Sentences(), batch_size=6, collate_fn=collate)
    tn.fit(mine, loader, plan=PLAN, seed=3, optimizer=optimizer, epochs=1, clip_grad_norm=0.1, cpu=True, progress=False)
    theirs, optimizer = without_dropout()
    trainer = trainer_for(
        tmp_path,
        NoiseCallback(PLAN, seed=3),
        theirs,
        max_steps=4,
        max_grad_norm=0.1,
        train_sampling_strategy="sequential",
    )
    trainer.optimizer = optimizer
    trainer.train()
    for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_steps_agree_and_the_model_is_as_it_was(tmp_path: Path) -> None:
    """Also where the optimizer's step is left out, as a GradScaler does for infinite gradients.

    Broken on purpose: without on_step_end the steps after 2 lag by one.
    """
    callback = NoiseCallback(PLAN)

    def leave_out(optimizer: Any) -> None:
        def once() -> None:
            del optimizer.step

        optimizer.step = once

    watch = Watch(callback, 2, leave_out)
    trainer = trainer_for(tmp_path, callback, more=[watch])
    keys = list(trainer.model.state_dict())
    trainer.train()
    assert watch.steps == [(i, i) for i in range(6)]
    assert not patched(trainer.model)
    assert not [
        m for m in trainer.model.modules() if "forward" in vars(m) and getattr(vars(m)["forward"], "torchnoise", 0)
    ]
    assert list(trainer.model.state_dict()) == keys
    assert callback.noise is not None
    assert all(row.rms for row in callback.noise.report().rows)


def test_evaluation_inside_training_is_clean(tmp_path: Path) -> None:
    """The loss that the Trainer measures is that of the same weights without noise."""

    class Compare(transformers.TrainerCallback):
        """Measures again, detached."""

        def __init__(self) -> None:
            self.pairs: list[tuple[float, float]] = []

        def on_evaluate(
            self, args: Any, state: Any, control: Any, model: Any = None, metrics: Any = None, **k: Any
        ) -> None:
            assert patched(model)
            clean = bert()
            clean.load_state_dict(model.state_dict())
            self.pairs.append(
                (metrics["eval_loss"], trainer_for(tmp_path / "again", model=clean).evaluate()["eval_loss"])
            )

    compare = Compare()
    trainer_for(tmp_path, NoiseCallback(PLAN), more=[compare], max_steps=2, eval_strategy="steps", eval_steps=1).train()
    assert len(compare.pairs) == 2
    assert all(a == b for a, b in compare.pairs)


def test_after_an_error_the_model_can_be_had_clean(tmp_path: Path) -> None:
    """By the context manager, by a further train(), and when the callback goes."""

    def fail(optimizer: Any) -> None:
        raise KeyError("on the way")

    model = bert()
    with pytest.raises(KeyError), NoiseCallback(PLAIN) as callback:
        trainer_for(tmp_path, callback, model, more=[Watch(callback, 1, fail)]).train()
    assert not patched(model)

    callback = NoiseCallback(PLAIN)
    trainer = trainer_for(tmp_path, callback, model, more=[watch := Watch(callback, 1, fail)])
    with pytest.raises(KeyError):
        trainer.train()
    assert patched(model)
    watch.at = -1
    trainer.train()
    assert not patched(model)

    callback = NoiseCallback(PLAIN)
    trainer = trainer_for(tmp_path, callback, model, more=[Watch(callback, 1, fail)])
    with pytest.raises(KeyError):
        trainer.train()
    callback.__del__()
    assert not patched(model)


@pytest.mark.parametrize(
    ("plan", "seed", "line"),
    [
        (tn.Plan(tn.Injection(tn.Uniform(0.2, relative_to="rms"), at=tn.Embeddings())), 0, "the plan differs"),
        (tn.Plan(*PLAIN, tn.Injection(tn.Gaussian(0.1), at=tn.Gradients())), 0, "injection 1 was none"),
        (PLAIN, 1, "the run had seed 0"),
    ],
    ids=["strength", "more", "seed"],
)
def test_another_plan_or_seed_is_refused_on_resuming(tmp_path: Path, plan: tn.Plan, seed: int, line: str) -> None:
    """And leaves the model clean."""
    settings: dict[str, Any] = {"save_strategy": "steps", "save_steps": 1}
    trainer_for(tmp_path, NoiseCallback(PLAIN), max_steps=1, **settings).train()
    trainer = trainer_for(tmp_path, NoiseCallback(plan, seed), max_steps=2, **settings)
    with pytest.raises(ValueError, match=line) as error:
        trainer.train(resume_from_checkpoint=True)
    assert "\n" not in str(error.value)
    assert not patched(trainer.model)


def test_a_checkpoint_from_elsewhere_needs_its_folder(tmp_path: Path) -> None:
    """Without it, one warning, and the step is right; a file of another run is not taken.

    Broken on purpose: `self.go_to(state.global_step)` taken out of _resume; _is_of_this_run made to say yes.
    """
    settings: dict[str, Any] = {"save_strategy": "steps", "save_steps": 1, "max_steps": 1}
    on = {**settings, "max_steps": 2}
    trainer_for(tmp_path / "one", NoiseCallback(PLAIN), **settings).train()
    trainer_for(tmp_path / "two", NoiseCallback(PLAIN, seed=5), seed=9, **settings).train()
    whole = trainer_for(tmp_path / "whole", NoiseCallback(PLAIN), **on)
    whole.train()
    there = str(tmp_path / "one/checkpoint-1")
    resumed = trainer_for(tmp_path / "two", NoiseCallback(PLAIN), **on)
    with pytest.warns(UserWarning, match="resume_from"):
        resumed.train(resume_from_checkpoint=there)
    assert equal(weights(whole), weights(resumed))
    resumed = trainer_for(tmp_path / "three", NoiseCallback(PLAIN, resume_from=there), **on)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        resumed.train(resume_from_checkpoint=there)
    assert equal(weights(whole), weights(resumed))


def test_noise_applied_twice_is_said(tmp_path: Path) -> None:
    """The Trainer's own NEFTune beside ours; not beside noise elsewhere."""
    trainer = trainer_for(tmp_path, NoiseCallback(tn.recipes.neftune()), neftune_noise_alpha=5.0, max_steps=1)
    with pytest.warns(UserWarning, match="applied twice"):
        trainer.train()
    elsewhere = tn.Injection(tn.Gaussian(0.1), at=tn.Gradients())
    trainer_for(tmp_path, NoiseCallback(elsewhere), neftune_noise_alpha=5.0, max_steps=1).train()


def test_neftune_follows_true_lengths(tmp_path: Path) -> None:
    """|u| <= alpha / sqrt(L d) with the unpadded L, reached nearly; padding gets nothing.

    Chance of a false alarm: the largest of at least 32 uniform draws is below 0.8 of its bound, 8e-4 for the shortest
    example; the seed is fixed.
    """
    seen: list[torch.Tensor] = []
    callback = NoiseCallback(tn.recipes.neftune(alpha=2.0))
    model = bert()
    trainer = trainer_for(tmp_path, callback, model, max_steps=1)
    model.bert.embeddings.word_embeddings.register_forward_hook(
        lambda m, args, out: seen.append((out - m.weight[args[0]]).detach())
    )
    masks: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda m, a, k: masks.append(k["attention_mask"]), with_kwargs=True)
    trainer.train()
    noise, mask = seen[0], masks[0]
    assert not noise[mask == 0].any()
    bound = 2.0 / (mask.sum(1) * 16.0).sqrt()
    largest = noise.abs().amax((1, 2))
    assert (largest <= bound * (1 + 1e-5)).all()
    assert (largest > 0.8 * bound).all()


def test_bfloat16(tmp_path: Path) -> None:
    """Accelerate puts its own forward into the model before ours, and neither undoes the other."""
    callback = NoiseCallback(PLAN)
    trainer = trainer_for(tmp_path, callback, bf16=True, max_steps=2)
    trainer.train()
    assert callback.noise is not None
    assert all(row.rms for row in callback.noise.report().rows)
    assert not patched(trainer.model)


def test_what_cannot_work_is_refused() -> None:
    """One line each."""
    learned = tn.Injection(tn.Gaussian(1.0, relative_to=tn.Learned()), at=tn.Embeddings())
    with pytest.raises(ValueError, match="learned scale"):
        NoiseCallback(learned)
    with pytest.raises(ValueError, match="second forward"):
        NoiseCallback(tn.Injection(tn.FGSM(0.1), at=tn.Embeddings()))
    with pytest.raises(TypeError, match="allowed: a Plan, an Injection"):
        NoiseCallback(tn.Gaussian(0.1))  # type: ignore[arg-type]

    class DeepSpeedOptimizerWrapper:
        """As Accelerate's."""

    with pytest.raises(TypeError, match="DeepSpeed"):
        refuse_deepspeed(DeepSpeedOptimizerWrapper())
    with pytest.raises(TypeError, match="DataParallel"):
        NoiseCallback(PLAIN).on_train_begin(SimpleNamespace(n_gpu=2), None, None, model=bert())


def test_files(tmp_path: Path) -> None:
    """Tensors come back with their bits and dtypes; a broken file is one line."""
    state = {"step": 2**40, "sites": {"a|b": 2**64 - 1}, "measured": {"a": {"x": torch.tensor([0.1, -0.0]).bfloat16()}}}
    write(tmp_path, state)
    again = read(tmp_path)
    assert same(again["measured"]["a"].pop("x"), state["measured"]["a"].pop("x"))  # type: ignore[index]
    assert again == state
    (tmp_path / JSON).write_text("{")
    with pytest.raises(ValueError, match="no state of noise") as error:
        read(tmp_path)
    assert "\n" not in str(error.value)
