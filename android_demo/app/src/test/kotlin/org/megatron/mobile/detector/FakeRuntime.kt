package org.megatron.mobile.detector

import org.megatron.mobile.runtime.ModelRuntime
import java.nio.FloatBuffer

const val WIDTH = 4
const val SIZE = 32

/** A student of [WIDTH] values whose answer is the mean brightness of the valid faces: more light is more fake. */
class FakeRuntime : ModelRuntime {
    var encoded = 0
        private set
    var classified = 0
        private set

    /** The masks of the last call of `classify`. */
    val faceValid = FloatArray(WINDOW)
    val depthValid = FloatArray(WINDOW)
    val rgb = FloatArray(WINDOW * WIDTH)

    override val name get() = "fake"

    override fun encode(frame: FloatBuffer, rgb: FloatArray, depth: FloatArray) {
        encoded++
        var sum = 0f
        for (place in 0 until frame.capacity()) sum += frame.get(place)
        rgb.fill(sum / frame.capacity() / 255f)
        depth.fill(1f)
    }

    override fun classify(
        rgb: FloatBuffer, depth: FloatBuffer, faceValid: FloatBuffer, depthValid: FloatBuffer, logits: FloatArray,
    ) {
        classified++
        var sum = 0f
        var valid = 0f
        for (slot in 0 until WINDOW) {
            this.faceValid[slot] = faceValid.get(slot)
            this.depthValid[slot] = depthValid.get(slot)
            for (value in 0 until WIDTH) this.rgb[slot * WIDTH + value] = rgb.get(slot * WIDTH + value)
            sum += faceValid.get(slot) * rgb.get(slot * WIDTH)
            valid += faceValid.get(slot)
        }
        logits[0] = 0f
        logits[1] = if (valid > 0) 8f * sum / valid - 4f else 0f
    }

    override fun close() = Unit
}

/** A manifest of the fake student. */
fun manifest(decision: Decision = Decision(10.0, 10, 0.5, 1.0, 0.5), depthTrained: Boolean = true) = Manifest(
    name = "fake",
    created = "2026-01-01T00:00:00+00:00",
    trained = true,
    depthTrained = depthTrained,
    source = Source(null, "demo", "0", "0"),
    preprocess = PreprocessSpec(SIZE, 1.5, 0, PreprocessSpec.Fit.SCALE),
    decision = decision,
    methods = listOf(
        MethodSpec(
            "encode", listOf(TensorSpec("frame", listOf(1, 3, SIZE, SIZE), 0.0..255.0)),
            listOf(TensorSpec("rgb_embedding", listOf(1, WIDTH), null)),
        ),
    ),
    metrics = null,
    preferred = null,
    artifacts = emptyList(),
    golden = null,
    goldenSha256 = null,
)

/** A picture of one grey. */
fun grey(level: Int, width: Int = 64, height: Int = 48) = RgbFrame(width, height, ByteArray(3 * width * height) { level.toByte() })

/** The middle of [grey]. */
val middle = Box(24.0, 16.0, 16.0, 16.0)
