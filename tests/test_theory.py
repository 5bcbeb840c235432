"""What theory says noise does, seen."""

from __future__ import annotations

import torch
from torch import nn

import torchnoise as tn


def test_linear_regression_with_input_noise_is_ridge() -> None:
    """Noise of sigma on inputs of a linear model is ridge regression with lambda = N sigma^2 on summed squares.

    E |y - (X + sigma Z) w|^2 = |y - X w|^2 + N sigma^2 |w|^2, exactly. Here the left side's normal equations are
    averaged over T passes of noise: their minimiser is ridge's up to sampling error. By the delta method the error of w
    has standard deviation below 1 / sqrt(T) times the terms computed here; 4 of them bound it, and least squares
    without noise is more than 10 away.

    Source: Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 7 (1995).
    """
    n, d, sigma, passes = 60, 5, 0.7, 4000
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, d, generator=generator)
    y = x @ torch.randn(d, generator=generator) + 0.1 * torch.randn(n, generator=generator)
    x64, y64 = x.double(), y.double()

    gram, moment = torch.zeros(passes, d, d, dtype=torch.float64), torch.zeros(passes, d, dtype=torch.float64)
    with tn.attach(nn.Identity(), tn.Injection(tn.Gaussian(sigma), at=tn.Inputs())) as noise:
        for t in range(passes):
            noisy = noise.model(x).double()
            gram[t], moment[t] = noisy.T @ noisy, noisy.T @ y64
            noise.step()
    found = torch.linalg.solve(gram.mean(0), moment.mean(0))

    eye = torch.eye(d, dtype=torch.float64)
    ridge = torch.linalg.solve(x64.T @ x64 + n * sigma**2 * eye, x64.T @ y64)
    plain = torch.linalg.solve(x64.T @ x64, x64.T @ y64)
    # delta method: w - ridge = A^-1 mean_t (moment_t - gram_t ridge)
    each = torch.linalg.solve(gram.mean(0), (moment - gram @ ridge).T).T
    error = each.std(0) / passes**0.5
    assert ((found - ridge).abs() < 4 * error).all()
    assert (found - plain).norm() > 10 * (found - ridge).norm()


def test_a_model_trained_with_noise_finds_ridge_too() -> None:
    """The same by gradient descent through attach(), as a user would: within 2 % of ridge, far from least squares."""
    n, d, sigma = 60, 5, 0.7
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, d, generator=generator)
    y = x @ torch.randn(d, generator=generator)
    model = nn.Linear(d, 1, bias=False)
    with torch.no_grad():
        model.weight.zero_()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    average = torch.zeros(d)
    with tn.attach(model, tn.Injection(tn.Gaussian(sigma), at=tn.Inputs()), optimizer=optimizer, measure_every=0):
        for step in range(1500):
            optimizer.zero_grad()
            (model(x)[:, 0] - y).square().mean().backward()
            optimizer.step()
            if step >= 500:  # averaged iterates of a noisy quadratic converge to its minimum
                average += model.weight.detach()[0] / 1000
    ridge = torch.linalg.solve(x.T @ x + n * sigma**2 * torch.eye(d), x.T @ y)
    plain = torch.linalg.solve(x.T @ x, x.T @ y)
    assert (average - ridge).norm() < 0.02 * ridge.norm()
    assert (average - plain).norm() > 0.2 * plain.norm()
