package org.megatron.mobile.benchmark

import org.megatron.mobile.detector.ArtifactRow
import org.megatron.mobile.detector.Manifest
import org.megatron.mobile.detector.WINDOW
import org.megatron.mobile.detector.directFloats
import org.megatron.mobile.runtime.ModelRuntime
import java.nio.FloatBuffer
import kotlin.random.Random

/** Measures the bundled program on the thread that calls. [residentBytes] tells the process's size now, [nanos] the time. */
class BenchmarkRun(
    private val manifest: Manifest,
    private val program: ArtifactRow,
    private val phone: Phone,
    private val runtimeVersion: String,
    private val residentBytes: () -> Long?,
    private val nanos: () -> Long,
) {
    /** The rows of [plan]; null when [onProgress] said to stop. [load] loads the program anew, and its runtime is closed. */
    fun run(plan: BenchmarkPlan, load: () -> ModelRuntime, onProgress: (BenchmarkProgress) -> Boolean): List<BenchmarkRow>? {
        val before = residentBytes()
        val start = nanos()
        return load().use { runtime ->
            val loadMs = (nanos() - start) / 1e6
            val after = residentBytes()
            var peak = after
            val timings = plan.methods.map { Timing(it, caller(it, runtime)) }
            val isComplete = interleave(timings, plan, nanos) { progress ->
                // Sampled: the system's own high-water mark is of the whole life of the app.
                peak = listOfNotNull(peak, residentBytes()).maxOrNull()
                onProgress(progress)
            }
            if (!isComplete) return null
            timings.map { row(plan, it, runtime.name, loadMs, ResidentMemory(before, after, peak)) }
        }
    }

    private fun row(plan: BenchmarkPlan, timing: Timing, runtime: String, loadMs: Double, memory: ResidentMemory) =
        BenchmarkRow(
            artifact = program.path,
            method = timing.method,
            sha256 = program.sha256,
            phone = phone,
            runtime = runtime,
            runtimeVersion = runtimeVersion,
            delegate = program.backend,
            precision = program.precision,
            threads = plan.threads,
            warmUp = timing.warmUp,
            seconds = timing.seconds,
            callsMs = timing.callsMs,
            coldLoadMs = loadMs,
            firstCallMs = timing.firstMs,
            memory = memory,
        )

    private fun caller(method: String, runtime: ModelRuntime): () -> Unit = when (method) {
        "encode" -> {
            val frame = random(3 * manifest.preprocess.size * manifest.preprocess.size, 255f)
            val rgb = FloatArray(manifest.embeddingSize)
            val depth = FloatArray(manifest.embeddingSize)
            ({ runtime.encode(frame, rgb, depth) })
        }
        else -> {
            val rgb = random(WINDOW * manifest.embeddingSize, 1f)
            val depth = random(WINDOW * manifest.embeddingSize, 1f)
            val valid = directFloats(WINDOW).apply { repeat(WINDOW) { put(it, 1f) } }
            val logits = FloatArray(2)
            ({ runtime.classify(rgb, depth, valid, valid, logits) })
        }
    }

    private fun random(count: Int, most: Float): FloatBuffer {
        val random = Random(SEED)
        return directFloats(count).apply { repeat(count) { put(it, random.nextFloat() * most) } }
    }

    companion object {
        /** What can be measured. */
        val METHODS = listOf("encode", "classify")
        private const val SEED = 0
    }
}
