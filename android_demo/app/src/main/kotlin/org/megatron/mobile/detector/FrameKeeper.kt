package org.megatron.mobile.detector

import java.nio.Buffer
import java.nio.ByteBuffer

/**
 * Copies of frames that outlive the decoder's own, in memory that is used again: a frame is held back until it is known
 * whether its face was only missed. Not thread-safe.
 */
class FrameKeeper {
    private val spare = ArrayDeque<ByteBuffer>()
    private val spareArrays = ArrayDeque<ByteArray>()

    /** A copy of [frame]; give it back with [release]. */
    fun keep(frame: Frame): Frame = when (frame) {
        is RgbFrame -> {
            val bytes = spareArrays.removeFirstOrNull()?.takeIf { it.size >= frame.bytes.size } ?: ByteArray(frame.bytes.size)
            frame.bytes.copyInto(bytes)
            RgbFrame(frame.width, frame.height, bytes, frame.rowStride)
        }
        is YuvFrame -> YuvFrame(
            copied(frame.y), copied(frame.u), copied(frame.v),
            frame.sensorWidth, frame.sensorHeight, frame.colour, frame.rotation, frame.left, frame.top,
        )
    }

    /** [frame], which [keep] gave, is used no more. */
    fun release(frame: Frame) {
        when (frame) {
            is RgbFrame -> spareArrays += frame.bytes
            is YuvFrame -> for (plane in listOf(frame.y, frame.u, frame.v)) spare += plane.buffer
        }
    }

    private fun copied(plane: Plane): Plane {
        // As Buffer: see YuvLines.
        (plane.buffer as Buffer).position(0)
        val bytes = plane.buffer.remaining()
        val index = spare.indexOfFirst { it.capacity() >= bytes }
        val buffer = if (index >= 0) spare.removeAt(index) else ByteBuffer.allocateDirect(bytes)
        (buffer as Buffer).clear()
        buffer.put(plane.buffer)
        (buffer as Buffer).flip()
        return Plane(buffer, plane.rowStride, plane.pixelStride)
    }
}
