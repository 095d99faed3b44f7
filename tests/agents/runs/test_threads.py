"""Linear algebra has one thread during a run."""

import agents


def test_linear_algebra_has_one_thread_during_a_run_and_its_own_afterwards():
    import threadpoolctl

    def threads():
        return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]

    during = []
    with threadpoolctl.threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        agents.run(
            "stackelberg/DiscreteToy-v1",
            leader="naive",
            updates=1,
            steps_per_update=10,
            progress=lambda state: during.extend(threads()),
        )
        assert threads()[: len(before)] == before
    assert during
    assert set(during) == {1}
