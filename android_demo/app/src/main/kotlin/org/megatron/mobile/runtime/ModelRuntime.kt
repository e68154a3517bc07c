package org.megatron.mobile.runtime

import java.io.Closeable
import java.nio.FloatBuffer

/**
 * A loaded student. Buffers are direct, in native byte order, and read from 0 to their capacity whatever their position.
 * One thread at a time. S, D and T = 20 as in the manifest.
 */
interface ModelRuntime : Closeable {
    /** Such as "executorch", for the results of a benchmark. */
    val name: String

    /** [frame] is [1, 3, S, S], RGB, 0..255; fills [rgb] and [depth] with the embeddings, [D] each. */
    fun encode(frame: FloatBuffer, rgb: FloatArray, depth: FloatArray)

    /** [rgb] and [depth] are [1, T, D], the masks [1, T] of 0 or 1; fills [logits] with (real, fake). */
    fun classify(rgb: FloatBuffer, depth: FloatBuffer, faceValid: FloatBuffer, depthValid: FloatBuffer, logits: FloatArray)
}

/** The program cannot be loaded or executed; the message is the runtime's own, for the log. */
class RuntimeFailure(message: String, cause: Throwable? = null) : Exception(message, cause)
