package org.megatron.mobile.measure

import com.sun.management.ThreadMXBean
import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.Frame
import org.megatron.mobile.detector.JsonObject
import org.megatron.mobile.detector.Plane
import org.megatron.mobile.detector.PreprocessSpec
import org.megatron.mobile.detector.Preprocessor
import org.megatron.mobile.detector.RgbFrame
import org.megatron.mobile.detector.YuvColour
import org.megatron.mobile.detector.YuvFrame
import java.io.File
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer

/** Bytes that this thread allocates in [block]; the measurement's own are taken off. */
fun allocatedBytes(block: () -> Unit): Long {
    val bean = ManagementFactory.getThreadMXBean() as ThreadMXBean
    val thread = Thread.currentThread().id
    fun used(block: () -> Unit): Long {
        val before = bean.getThreadAllocatedBytes(thread)
        block()
        return bean.getThreadAllocatedBytes(thread) - before
    }
    val nothing = {}
    repeat(100) { used(nothing) }
    val own = used(nothing)
    return used(block) - own
}

/**
 * `python -m android_demo.assembly preprocessing` calls this: times every frame of a folder that it wrote, and prints one
 * JSON object with the milliseconds of each call and the bytes that all of them allocated.
 */
fun main(arguments: Array<String>) {
    val folder = File(arguments[0])
    val plan = JsonObject.read(File(folder, "plan.json").readText())
    val width = plan.whole("width").toInt()
    val height = plan.whole("height").toInt()
    val spec = PreprocessSpec(plan.whole("size").toInt(), plan.number("margin"), 0, PreprocessSpec.Fit.SCALE)
    val boxes = plan.children("boxes").map { Box(it.number("x"), it.number("y"), it.number("w"), it.number("h")) }
    val rgb = boxes.indices.map { RgbFrame(width, height, File(folder, "$it.rgb").readBytes()) }
    val yuv = boxes.indices.map { i420(File(folder, "$it.i420").readBytes(), width, height) }
    val results = listOf("rgb" to rgb, "yuv" to yuv).map { (name, frames) ->
        "\"$name\": ${measured(Preprocessor(spec), frames, boxes, plan.whole("rounds").toInt())}"
    }
    println("{${results.joinToString()}}")
}

private fun measured(preprocessor: Preprocessor, frames: List<Frame>, boxes: List<Box>, rounds: Int): String {
    fun once() = frames.indices.forEach { preprocessor.fill(frames[it], boxes[it]) }
    // Until the compiler has done what it will do.
    repeat(rounds) { once() }
    val times = LongArray(rounds * frames.size)
    val bytes = allocatedBytes {
        var call = 0
        for (round in 0 until rounds) for (index in frames.indices) {
            val start = System.nanoTime()
            preprocessor.fill(frames[index], boxes[index])
            times[call++] = System.nanoTime() - start
        }
    }
    return "{\"ms\": [${times.joinToString { "%.4f".format(java.util.Locale.ROOT, it / 1e6) }}], \"allocated_bytes\": $bytes}"
}

private fun i420(bytes: ByteArray, width: Int, height: Int): YuvFrame {
    val half = width / 2 * (height / 2)
    fun plane(from: Int, size: Int, stride: Int): Plane {
        val buffer = ByteBuffer.allocateDirect(size)
        buffer.put(bytes, from, size)
        return Plane(buffer, stride, 1)
    }
    return YuvFrame(
        plane(0, width * height, width), plane(width * height, half, width / 2),
        plane(width * height + half, half, width / 2), width, height, YuvColour.BT601_LIMITED,
    )
}
