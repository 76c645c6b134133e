import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentrl.learning.credit.comparison import heard, whiten

VALUES = st.lists(st.floats(-5, 5), min_size=1, max_size=8)


@given(values=VALUES, data=st.data())
def test_whitening_treats_an_element_as_the_samples_that_it_stands_for(values, data):
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values)))
    x_N, count_N = torch.tensor(values, dtype=torch.float64), torch.tensor(counts)
    got_N = whiten(x_N, count_N)
    samples = x_N.repeat_interleave(count_N)
    if len(samples) < 2 or float(samples.std()) < 1e-8:
        assert not got_N.any()
        return
    want_N = (x_N - samples.mean()) / (samples.var() + 1e-8).sqrt()
    torch.testing.assert_close(got_N, torch.where(count_N > 0, want_N, 0))


def test_what_does_not_differ_is_not_blown_up_by_whitening():
    assert whiten(torch.tensor([0.1, 0.1 + 1e-12, 0.1]).double(), torch.ones(3)).tolist() == [0, 0, 0]
    assert whiten(torch.tensor([]).double(), torch.tensor([])).tolist() == []


def test_a_segment_is_heard_if_any_of_it_is_not_0():
    x_N = torch.tensor([0, 0.5, 0, 0, -1.0, 1.0])
    assert heard(x_N, torch.tensor([0, 0, 1, 1, 2, 2]), 3).tolist() == [True, True, False, False, True, True]


@pytest.mark.parametrize("count_N", [torch.tensor([True, False]), torch.tensor([1, 0]), torch.tensor([0, 0])])
def test_one_sample_has_no_spread(count_N):
    assert whiten(torch.tensor([3.0, 4.0]).double(), count_N).tolist() == [0, 0]
