package org.megatron.mobile.media

import org.megatron.mobile.detector.Box

/**
 * Brings a camera's frames and the faces in them together: they come in two streams, in either order, and belong to one
 * another by the sensor's timestamp. `F` is a frame that must be let go of: [release] is called for those that are not
 * given to [emit], which lets go of its own. One thread at a time.
 */
class FrameFaces<F>(private val emit: (Long, F, List<Box>) -> Unit, private val release: (F) -> Unit) {
    private class Pending<F>(val timestamp: Long, val frame: F)

    private var pending: Pending<F>? = null
    private val faces = ArrayDeque<Pair<Long, List<Box>>>()

    /** A frame arrived. One that still waits for its faces is dropped: a camera that runs ahead must not pile up. */
    fun onFrame(timestamp: Long, frame: F) {
        pending?.let { release(it.frame) }
        pending = null
        val known = faces.firstOrNull { it.first == timestamp }?.second
        if (known != null) emit(timestamp, frame, known) else pending = Pending(timestamp, frame)
    }

    /** The faces of a frame are known. */
    fun onFaces(timestamp: Long, found: List<Box>) {
        faces += timestamp to found
        if (faces.size > REMEMBERED) faces.removeFirst()
        val waiting = pending?.takeIf { it.timestamp == timestamp } ?: return
        pending = null
        emit(timestamp, waiting.frame, found)
    }

    /** Nothing more comes. */
    fun close() {
        pending?.let { release(it.frame) }
        pending = null
    }

    private companion object {
        const val REMEMBERED = 16
    }
}
