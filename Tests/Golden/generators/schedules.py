"""Learning rates (and momenta, where they cycle) that PyTorch's schedules give at each of 30 steps."""

import torch
from torch.optim import lr_scheduler

STEPS = 30
BASE = 0.1

CYCLE = dict(max_lr=1.0, total_steps=STEPS, pct_start=0.3, anneal_strategy="cos", cycle_momentum=True,
             base_momentum=0.85, max_momentum=0.95, div_factor=25.0, final_div_factor=1e4, three_phase=False)

# schedule, name, attributes
CASES = [
    ("step", "7", dict(step_size=7, gamma=0.1)),
    ("step", "1", dict(step_size=1, gamma=0.9)),
    ("multi_step", "plain", dict(milestones=[5, 12, 25], gamma=0.5)),
    ("multi_step", "repeated", dict(milestones=[4, 4, 20], gamma=0.3)),
    ("cosine", "to_zero", dict(T_max=30, eta_min=0.0)),
    ("cosine", "to_minimum", dict(T_max=29, eta_min=0.01)),
    ("cosine", "beyond_its_end", dict(T_max=10, eta_min=0.001)),
    ("one_cycle", "cos", CYCLE),
    ("one_cycle", "linear", {**CYCLE, "anneal_strategy": "linear"}),
    ("one_cycle", "cos_three_phase", {**CYCLE, "three_phase": True}),
    ("one_cycle", "linear_three_phase", {**CYCLE, "anneal_strategy": "linear", "three_phase": True}),
    ("one_cycle", "other_shares", {**CYCLE, "max_lr": 0.4, "pct_start": 0.25, "div_factor": 10.0,
                                   "final_div_factor": 100.0}),
    ("one_cycle", "momentum_left_alone", {**CYCLE, "cycle_momentum": False}),
    ("linear", "warm_up", dict(start_factor=0.1, end_factor=1.0, total_iters=5)),
    ("warm_up_cosine", "5", dict(start_factor=0.01, end_factor=1.0, total_iters=5, T_max=25, eta_min=0.0)),
    ("warm_up_cosine", "8", dict(start_factor=0.2, end_factor=1.0, total_iters=8, T_max=22, eta_min=0.005)),
]


def cases():
    return [case(schedule, name, attributes) for schedule, name, attributes in CASES]


def case(schedule, name, attributes):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=BASE, momentum=0.9)
    scheduler = make(schedule, optimizer, attributes)
    rates, momenta = [], []
    for step in range(STEPS):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        momenta.append(float(optimizer.param_groups[0]["momentum"]))
        optimizer.step()
        if step + 1 < STEPS:
            scheduler.step()
    values = dict(learning_rates=rates, momenta=momenta)
    return dict(name=f"{schedule}/{name}", operator=schedule,
                attributes=dict(lr=BASE, momentum=0.9, **attributes, **values), tensors=[])


def make(schedule, optimizer, attributes):
    if schedule == "warm_up_cosine":
        # SequentialLR: the cosine begins, at its own step 0, when total_iters steps have been made.
        warm_up = {key: attributes[key] for key in ("start_factor", "end_factor", "total_iters")}
        cosine = {key: attributes[key] for key in ("T_max", "eta_min")}
        parts = [make("linear", optimizer, warm_up), make("cosine", optimizer, cosine)]
        return lr_scheduler.SequentialLR(optimizer, parts, [attributes["total_iters"]])
    kinds = dict(step=lr_scheduler.StepLR, multi_step=lr_scheduler.MultiStepLR, cosine=lr_scheduler.CosineAnnealingLR,
                 one_cycle=lr_scheduler.OneCycleLR, linear=lr_scheduler.LinearLR)
    return kinds[schedule](optimizer, **attributes)
