package org.megatron.mobile.media

import org.megatron.mobile.detector.Frame
import java.io.Closeable

/** A decoded frame; [frame] may be read until the next one is asked for. Times are since the video's first frame. */
class TimedFrame(val timeMs: Double, val frame: Frame)

/** A video that is read once, from its first frame to its last. One thread at a time. */
interface VideoFrames : Closeable {
    /** Null where the file does not tell. */
    val durationMs: Double?

    /** Whether the video ended at a damage before its own end. */
    val endsEarly: Boolean

    /** The next frame that [wants] its time, null at the end. Every decoded frame's time is asked once, in order. */
    fun next(wants: (timeMs: Double) -> Boolean): TimedFrame?
}

/** Where videos come from; [open] throws [VideoRefused]. */
fun interface VideoOpener {
    fun open(uri: String): VideoFrames
}

/** Why a check has no verdict. */
enum class CheckFailure {
    /** The file holds no video that the phone knows. */
    NO_VIDEO,

    /** It is gone, or may not be read. */
    UNREADABLE,

    /** As [UNREADABLE], after the app was closed during the check. */
    INTERRUPTED,

    /** Not one frame could be decoded. */
    DAMAGED,

    /** Something failed that is not the video's fault. */
    INSIDE,

    /** There is nothing on the phone to choose a file with. */
    NO_PICKER,
}

/** The video cannot be checked. */
class VideoRefused(val failure: CheckFailure, cause: Throwable? = null) : Exception(failure.name, cause)
