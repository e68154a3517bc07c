package org.megatron.mobile.detector

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test
import kotlin.random.Random

/** What must hold for any stream: each test draws many, from a seed that its failure names. */
class DetectorTest {
    private val runtime = FakeRuntime()

    @Test
    fun `an invalid slot never changes the verdict`() = forEachSeed { random ->
        val length = random.nextInt(1, 70)
        val shown = BooleanArray(length) { random.nextFloat() < 0.7f }
        val level = random.nextInt(0, 256)
        val black = judged(length) { index -> grey(level) to middle.takeIf { shown[index] } }
        val noisy = judged(length) { index -> grey(if (shown[index]) level else random.nextInt(256)) to middle.takeIf { shown[index] } }

        assertEquals(black, noisy)
        for (window in black.windows) {
            // The fake averages valid slots alone, so one grey gives one answer however many are missed.
            window.logits?.let { assertEquals(8.0 * level / 255 - 4, it.fake, 1e-3) }
        }
    }

    @Test
    fun `invalid slots reach the model as zeros`() {
        val detector = Detector(runtime, manifest(Decision(10.0, 10, 0.05, 1.0, 0.5)))
        detector.offer(0.0, grey(200), middle)
        for (index in 1 until WINDOW) detector.offer(index * 100.0, grey(200), null)

        assertArrayEquals(FloatArray(WINDOW) { if (it == 0) 1f else 0f }, runtime.faceValid, 0f)
        assertArrayEquals(FloatArray((WINDOW - 1) * WIDTH), runtime.rgb.copyOfRange(WIDTH, WINDOW * WIDTH), 0f)
    }

    @Test
    fun `a window with nothing valid is undecided and asks the model nothing`() = forEachSeed { random ->
        val before = runtime.classified
        val verdict = judged(random.nextInt(1, 70)) { grey(random.nextInt(256)) to null }

        assertEquals(Label.UNDECIDED, verdict.label)
        assertNull(verdict.fakeProbability)
        assertEquals(0.0, verdict.coverage, 0.0)
        assertEquals(before, runtime.classified)
    }

    @Test
    fun `no frame at all is undecided`() {
        val verdict = Detector(runtime, manifest()).finish()

        assertEquals(Verdict(Label.UNDECIDED, null, 0.0, 0, emptyList()), verdict)
    }

    @Test
    fun `frames out of order or twice at one time change nothing`() = forEachSeed { random ->
        val detector = Detector(FakeRuntime(), manifest())
        val length = random.nextInt(1, 60)
        for (index in 0 until length) {
            detector.offer(index * 100.0, grey(180), middle)
            for (late in 0..random.nextInt(3)) {
                assertNull(detector.offer(index * 100.0 - random.nextInt(0, 500), grey(0), middle))
            }
            assertNull(detector.offer(Double.NaN, grey(0), middle))
        }

        assertEquals(judged(length) { grey(180) to middle }, detector.finish())
    }

    @Test
    fun `windows end at 20, 20 + hop and with the video, as the samples were`() = forEachSeed { random ->
        val hop = random.nextInt(1, WINDOW + 1)
        val length = random.nextInt(1, 100)
        val detector = Detector(runtime, manifest(Decision(10.0, hop, 0.5, 1.0, 0.5)))
        for (index in 0 until length) {
            val window = detector.offer(index * 100.0, grey(9), middle)
            assertEquals(index + 1 >= WINDOW && (index + 1 - WINDOW) % hop == 0, window != null)
        }
        val windows = detector.finish().windows

        assertEquals((length - 1) * 100.0, windows.last().endMs, 0.0)
        for (window in windows) {
            val samples = (window.endMs - window.startMs) / 100 + 1
            assertEquals(minOf(WINDOW.toDouble(), length.toDouble()), samples, 0.0)
        }
    }

    @Test
    fun `each frame is encoded once, ever`() {
        judged(55) { grey(it) to middle }

        assertEquals(55, runtime.encoded)
    }

    @Test
    fun `depth is valid where the face is, and never where depth was not trained`() {
        for (depthTrained in listOf(true, false)) {
            val detector = Detector(runtime, manifest(depthTrained = depthTrained))
            for (index in 0 until WINDOW) detector.offer(index * 100.0, grey(100), middle.takeIf { index % 3 != 0 })

            val expected = if (depthTrained) runtime.faceValid else FloatArray(WINDOW)
            assertArrayEquals(expected, runtime.depthValid, 0f)
        }
    }

    @Test
    fun `a window below the least coverage is undecided, at it decided`() {
        for ((shown, decided) in listOf(9 to false, 10 to true)) {
            val detector = Detector(runtime, manifest())
            val windows = (0 until WINDOW).mapNotNull { detector.offer(it * 100.0, grey(1), middle.takeIf { _ -> it < shown }) }

            assertEquals(decided, windows.single().logits != null)
        }
    }

    private fun judged(length: Int, frame: (Int) -> Pair<Frame, Box?>): Verdict {
        val detector = Detector(runtime, manifest())
        for (index in 0 until length) frame(index).let { (picture, box) -> detector.offer(index * 100.0, picture, box) }
        return detector.finish()
    }

    private fun forEachSeed(block: (Random) -> Unit) {
        for (seed in 0 until 40) {
            try {
                block(Random(seed))
            } catch (error: AssertionError) {
                throw AssertionError("seed $seed: ${error.message}", error)
            }
        }
    }
}
