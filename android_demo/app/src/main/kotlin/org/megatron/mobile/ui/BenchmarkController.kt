package org.megatron.mobile.ui

import android.util.Log
import org.megatron.mobile.benchmark.BenchmarkPlan
import org.megatron.mobile.benchmark.BenchmarkRow
import org.megatron.mobile.benchmark.BenchmarkRun
import org.megatron.mobile.runtime.RuntimeFailure
import java.io.File
import java.util.concurrent.Executor

/** Makes a measurement of the opened model. */
fun interface BenchmarkMaker {
    fun of(ready: UiState.Model.Ready): BenchmarkRun
}

/** One measurement at a time; it belongs to the app, not to its screen. What it found is written to [file]. */
class BenchmarkController(
    private val model: ModelKeeper,
    private val maker: BenchmarkMaker,
    private val file: File,
    private val worker: Executor,
    main: Executor,
) {
    val state = Observed<UiState.Benchmark>(UiState.Benchmark.Idle(), main)

    @Volatile
    private var newest = 0

    /** Begin, unless a measurement runs already. Main thread. */
    @Synchronized
    fun start(
        method: String? = null, iterations: Int = BenchmarkPlan.LEAST_CALLS, threads: Int = BenchmarkPlan.THREADS,
    ) {
        if (state.value is UiState.Benchmark.Running) return
        // Whoever waits for the file must not read the figures of the last time.
        file.delete()
        when (val made = BenchmarkPlan.of(method, iterations, threads, BenchmarkRun.METHODS)) {
            is BenchmarkPlan.Made.No -> state.value = UiState.Benchmark.BadRequest(made.fault)
            is BenchmarkPlan.Made.Plan -> {
                val run = ++newest
                state.value = UiState.Benchmark.Running(made.plan, progress = null)
                worker.execute {
                    val outcome = if (run == newest) outcome(run, made.plan) else null
                    if (outcome != null) tell(run, outcome)
                }
            }
        }
    }

    /** Stop; nothing is written. Main thread. */
    @Synchronized
    fun cancel() {
        if (state.value !is UiState.Benchmark.Running) return
        newest++
        state.value = UiState.Benchmark.Idle(wasCancelled = true)
    }

    /** The worker's word on a run, unless the main thread has stopped it meanwhile; whether it has not. */
    @Synchronized
    private fun tell(run: Int, next: UiState.Benchmark): Boolean {
        if (run == newest) state.value = next
        return run == newest
    }

    private fun outcome(run: Int, plan: BenchmarkPlan): UiState.Benchmark? {
        val ready = when (val opened = model.opened()) {
            is UiState.Model.Ready -> opened
            is UiState.Model.Refused -> return UiState.Benchmark.Refused(opened.why)
            UiState.Model.Opening -> error("opened() waits")
        }
        return try {
            val rows = maker.of(ready).run(plan, { model.load(ready, plan.threads) }) { progress ->
                tell(run, UiState.Benchmark.Running(plan, progress))
            } ?: return null
            write(rows)
            UiState.Benchmark.Finished(rows)
        } catch (refused: ModelNotLoaded) {
            UiState.Benchmark.Refused(refused.why)
        } catch (failure: RuntimeFailure) {
            Log.w("Megatron", "the measurement failed", failure)
            UiState.Benchmark.Failed
        }
    }

    private fun write(rows: List<BenchmarkRow>) {
        val pending = File(file.path + ".partial")
        pending.writeText(BenchmarkRow.document(rows))
        pending.renameTo(file)
    }
}
