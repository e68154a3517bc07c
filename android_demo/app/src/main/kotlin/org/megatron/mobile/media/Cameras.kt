package org.megatron.mobile.media

import android.view.SurfaceHolder
import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.Frame
import java.io.Closeable

/** A camera of the phone; its pictures are [width] by [height] px before they are turned upright. */
data class CameraChoice(
    val id: String,
    val isFront: Boolean,
    val width: Int,
    val height: Int,
    /** Clockwise turn in degrees that makes its pictures upright on a phone held in its natural position. */
    val sensorOrientation: Int,
) {
    /** Clockwise turn in degrees for a display turned by [displayDegrees]. */
    fun rotation(displayDegrees: Int): Int =
        if (isFront) (sensorOrientation + displayDegrees).mod(360) else (sensorOrientation - displayDegrees).mod(360)
}

/** Told about a camera's frames on the camera's own thread. */
interface CameraWatcher {
    /** Whether the frame at [timeMs] is needed; asked once for every frame, in order. */
    fun wants(timeMs: Double): Boolean

    /** A frame that was wanted, with its faces; it may be read until this returns. */
    fun onFrame(timeMs: Double, frame: Frame, faces: List<Box>)

    /** The camera stopped and will say nothing more. */
    fun onStopped()
}

/** The cameras of the phone. */
interface Cameras {
    /** The back one first; empty where there is none that gives pictures of the needed kind. */
    fun choices(): List<CameraChoice>

    /** Show [choice] on [preview] and tell [watcher] about its frames, until the result is closed. */
    fun open(choice: CameraChoice, preview: SurfaceHolder, displayDegrees: Int, watcher: CameraWatcher): Closeable
}
