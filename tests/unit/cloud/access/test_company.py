"""Whether there are several clients."""

from __future__ import annotations

from cloud.access.company import Company


def test_one_client_is_no_company_and_two_are_for_a_while() -> None:
    company = Company()
    assert not company.is_shared(0.0)
    for now_s in range(100):
        company.note("a", float(now_s))
        assert not company.is_shared(float(now_s))
    company.note("b", 100.0)
    assert company.is_shared(100.0)
    assert company.is_shared(108.9)
    assert not company.is_shared(109.0)  # a was last here at 99
    company.note("b", 109.0)
    assert not company.is_shared(109.0)
    company.note("a", 110.0)
    assert company.is_shared(110.0)
