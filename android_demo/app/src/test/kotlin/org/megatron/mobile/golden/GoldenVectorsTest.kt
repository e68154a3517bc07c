package org.megatron.mobile.golden

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.megatron.mobile.detector.Detector
import org.megatron.mobile.detector.Label
import org.megatron.mobile.detector.Logits
import org.megatron.mobile.detector.Manifest
import org.megatron.mobile.detector.Preprocessor
import org.megatron.mobile.detector.Verdict
import org.megatron.mobile.detector.directFloats
import org.megatron.mobile.runtime.ModelRuntime
import java.io.File
import java.nio.FloatBuffer
import kotlin.math.abs

/** The same answer as Python's, on the vectors that Python wrote. */
class GoldenVectorsTest {
    @Test
    fun `every golden face becomes the tensor that Python made of it`() {
        val golden = GoldenFolder.find()
        val preprocessor = Preprocessor(golden.manifest.preprocess)
        assertTrue(golden.faces.size >= 6)
        for (case in golden.faces) {
            val tensor = preprocessor.fill(golden.picture(case.frame), case.box)
            val apart = case.tensor.indices.maxOf { abs(case.tensor[it] - tensor.get(it)) }
            assertTrue("${case.name}: $apart of 255 apart", apart <= 1f)
        }
    }

    @Test
    fun `windows and verdict of every golden stream are Python's where the logits are`() {
        val golden = GoldenFolder.find()
        for (stream in golden.streams) {
            val decided = stream.windows.mapNotNull { it.logits }
            val detector = Detector(Replaying(decided), golden.manifest)
            for (frame in stream.frames) detector.offer(frame.timeMs, golden.picture(frame.frame), frame.box)

            assertSame(stream, detector.finish(), golden.manifest, tolerance = 1e-12)
        }
    }

    @Test
    fun `the exported ONNX student gives Python's probabilities and verdicts on every golden stream`() {
        val golden = withOnnx()
        OnnxRuntime(onnxFolder(golden.root, golden.manifest)!!, golden.manifest).use { runtime ->
            for (stream in golden.streams) {
                val detector = Detector(runtime, golden.manifest)
                for (frame in stream.frames) detector.offer(frame.timeMs, golden.picture(frame.frame), frame.box)

                assertSame(stream, detector.finish(), golden.manifest, tolerance = 1e-3)
            }
        }
    }

    @Test
    fun `the exported ONNX student gives Python's logits under every golden mask`() {
        val golden = withOnnx()
        OnnxRuntime(onnxFolder(golden.root, golden.manifest)!!, golden.manifest).use { runtime ->
            for (case in golden.windows) {
                val logits = FloatArray(2)
                runtime.classify(direct(case.rgb), direct(case.depth), direct(case.faceValid), direct(case.depthValid), logits)

                assertEquals(case.name, case.logits.real, logits[0].toDouble(), 1e-3)
                assertEquals(case.name, case.logits.fake, logits[1].toDouble(), 1e-3)
            }
        }
    }

    private fun direct(values: FloatArray): FloatBuffer = directFloats(values.size).apply {
        put(values)
        clear()
    }

    private fun withOnnx() = GoldenFolder.find("an exported ONNX student") { root, manifest -> onnxFolder(root, manifest) != null }

    private fun onnxFolder(root: File, manifest: Manifest): File? =
        manifest.artifacts.firstOrNull { it.target == "onnx" && it.precision == "fp32" }?.let { File(root, it.path) }

    private fun assertSame(stream: StreamCase, verdict: Verdict, manifest: Manifest, tolerance: Double) {
        assertEquals(stream.label, verdict.label.name.lowercase())
        assertEquals(stream.coverage, verdict.coverage, 1e-12)
        assertClose(stream.name, stream.probability, verdict.fakeProbability, tolerance)
        assertEquals(stream.windows.size, verdict.windows.size)
        for ((expected, window) in stream.windows.zip(verdict.windows)) {
            assertEquals(expected.startMs, window.startMs, 0.0)
            assertEquals(expected.endMs, window.endMs, 0.0)
            assertEquals(expected.coverage, window.coverage, 1e-12)
            assertClose(stream.name, expected.probability, window.logits?.let(manifest.decision::probability), tolerance)
        }
        assertEquals(verdict.label == Label.UNDECIDED, verdict.fakeProbability == null)
    }

    private fun assertClose(what: String, expected: Double?, found: Double?, tolerance: Double) {
        assertEquals(what, expected == null, found == null)
        if (expected != null && found != null) assertEquals(what, expected, found, tolerance)
    }
}

/** Answers with the logits it was given, in order. */
private class Replaying(logits: List<Logits>) : ModelRuntime {
    private val left = ArrayDeque(logits)
    override val name get() = "replay"

    override fun encode(frame: FloatBuffer, rgb: FloatArray, depth: FloatArray) = Unit

    override fun classify(
        rgb: FloatBuffer, depth: FloatBuffer, faceValid: FloatBuffer, depthValid: FloatBuffer, logits: FloatArray,
    ) {
        val next = left.removeFirst()
        logits[0] = next.real.toFloat()
        logits[1] = next.fake.toFloat()
    }

    override fun close() = Unit
}
