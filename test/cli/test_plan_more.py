"""Properties of whole plans, over many of them: apart from test_plan.py, which sanitized builds run too."""
import pytest

from test_plan import plan  # noqa: F401 (a fixture)


@pytest.mark.parametrize("words", ["vllm ocr", "gpu-worker", "vllm vllm --spread", "ocr embedding vllm", "vllm vllm ocr embedding --no-variants"])
@pytest.mark.parametrize("count", [1, 3])
def test_with_more_memory_never_less_of_what_is_required_runs(words, count, plan):     # noqa: F811
    # What is only preferred may go to the CPU for a better form of what is not; and whether an instance beside others is tight
    # hangs on how its share is rounded, which is in hundredths of the total.
    best = ()
    for mib in range(3000, 90000, 2900):
        said = plan("", words, inventory={"gpus": [{"uuid": f"GPU-{i}", "index": i, "total_mib": mib + 400, "reserved_mib": 400, "sm": "8.9",
                                                    "name": "X"} for i in range(count)]})
        runs = tuple(item["verdict"] in ("fit", "tight", "partial") for item in said["items"] if item["required"])
        assert runs >= best, f"{mib} MiB: {runs} after {best}"
        best = runs
    assert all(best)
