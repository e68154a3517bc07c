package org.megatron.mobile.detector

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import kotlin.math.abs
import kotlin.math.floor
import kotlin.random.Random

/** Against the contract written out pixel by pixel, in double precision and without a thought for speed. */
class PreprocessorTest {
    @Test
    fun `odd sizes, boxes half outside and every reduction follow the contract`() {
        val random = Random(3)
        for (round in 0 until 60) {
            val spec = PreprocessSpec(32, 1.0 + random.nextDouble(), random.nextInt(256), PreprocessSpec.Fit.SCALE)
            val frame = RgbFrame(random.nextInt(1, 160), random.nextInt(1, 160), random.nextBytes(3 * 160 * 160))
            val side = random.nextDouble(0.5, 140.0)
            val box = Box(
                random.nextDouble(-side, frame.width.toDouble()), random.nextDouble(-side, frame.height.toDouble()),
                side, side * random.nextDouble(0.5, 1.5),
            )

            val found = Preprocessor(spec).fill(frame, box)

            val expected = reference(frame, box, spec)
            val apart = expected.indices.maxOf { abs(expected[it] - found.get(it)) }
            assertTrue("round $round: $apart apart at $box on ${frame.width} × ${frame.height}", apart < 0.01)
        }
    }

    @Test
    fun `a preprocessor forgets the face before`() {
        val spec = PreprocessSpec(32, 1.5, 0, PreprocessSpec.Fit.SCALE)
        val used = Preprocessor(spec)
        val frame = RgbFrame(90, 70, Random(1).nextBytes(3 * 90 * 70))
        for (box in listOf(Box(1.0, 1.0, 80.0, 80.0), Box(40.0, 30.0, 5.0, 5.0), Box(-300.0, 0.0, 9.0, 9.0), middle)) {
            val again = used.fill(frame, box).let { values -> FloatArray(values.capacity()).also(values::get) }
            val fresh = Preprocessor(spec).fill(frame, box).let { values -> FloatArray(values.capacity()).also(values::get) }

            assertTrue(again.contentEquals(fresh))
        }
    }

    @Test
    fun `what is no face box is refused`() {
        val preprocessor = Preprocessor(PreprocessSpec(32, 1.5, 0, PreprocessSpec.Fit.SCALE))
        for (box in listOf(
            Box(Double.NaN, 0.0, 1.0, 1.0), Box(0.0, 0.0, Double.NaN, 1.0), Box(0.0, 0.0, 1e9, 1.0),
            Box(0.0, 0.0, -4.0, -4.0), Box(Double.POSITIVE_INFINITY, 0.0, 1.0, 1.0),
        )) {
            assertThrows(IllegalArgumentException::class.java) { preprocessor.fill(grey(1), box) }
        }
    }

    @Test
    fun `the reference's own fit is refused`() {
        assertThrows(IllegalArgumentException::class.java) {
            Preprocessor(PreprocessSpec(32, 1.5, 0, PreprocessSpec.Fit.PAD))
        }
    }

    @Test
    fun `an empty box is a square of one pixel`() {
        val tensor = Preprocessor(PreprocessSpec(32, 1.5, 0, PreprocessSpec.Fit.SCALE)).fill(grey(77), Box(9.0, 9.0, 0.0, 0.0))

        for (place in 0 until tensor.capacity()) assertEquals(77f, tensor.get(place), 0f)
    }

    private fun reference(frame: RgbFrame, box: Box, spec: PreprocessSpec): DoubleArray {
        val side = squareSide(box, spec.margin)
        val left = squareStart(box.centerX, side)
        val top = squareStart(box.centerY, side)
        val factor = maxOf(1, side / spec.size)
        val reduced = (side + factor - 1) / factor
        fun pixel(x: Int, y: Int, channel: Int): Int {
            val inSquare = x < side && y < side
            val (column, row) = left + x to top + y
            if (!inSquare || column !in 0 until frame.width || row !in 0 until frame.height) return spec.padding
            return frame.bytes[row * frame.rowStride + 3 * column + channel].toInt() and 255
        }
        fun averaged(x: Int, y: Int, channel: Int): Double {
            var sum = 0
            for (dy in 0 until factor) for (dx in 0 until factor) sum += pixel(x * factor + dx, y * factor + dy, channel)
            return sum.toDouble() / (factor * factor)
        }
        fun at(out: Int): Double = ((out + 0.5) * reduced / spec.size - 0.5).coerceIn(0.0, reduced - 1.0)
        return DoubleArray(3 * spec.size * spec.size) { place ->
            val channel = place / (spec.size * spec.size)
            val (y, x) = at(place / spec.size % spec.size) to at(place % spec.size)
            val (row, column) = floor(y).toInt() to floor(x).toInt()
            val (below, right) = minOf(row + 1, reduced - 1) to minOf(column + 1, reduced - 1)
            val above = averaged(column, row, channel) * (1 - (x - column)) + averaged(right, row, channel) * (x - column)
            val under = averaged(column, below, channel) * (1 - (x - column)) + averaged(right, below, channel) * (x - column)
            above * (1 - (y - row)) + under * (y - row)
        }
    }
}
