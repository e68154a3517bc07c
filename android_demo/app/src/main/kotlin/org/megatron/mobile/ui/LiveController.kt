package org.megatron.mobile.ui

import android.util.Log
import android.view.SurfaceHolder
import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.Frame
import org.megatron.mobile.media.CameraChoice
import org.megatron.mobile.media.CameraWatcher
import org.megatron.mobile.media.Cameras
import org.megatron.mobile.media.LiveWatch
import org.megatron.mobile.runtime.ModelRuntime
import org.megatron.mobile.runtime.RuntimeFailure
import java.io.Closeable
import java.util.concurrent.Executor

/** The live check of what a camera shows, from the moment that the screen is there until it goes. Main thread. */
class LiveController(
    private val model: ModelKeeper,
    private val cameras: Cameras,
    private val worker: Executor,
    private val main: Executor,
) {
    val state = Observed<UiState.Live>(UiState.Live.NeedsPermission, main)

    private var chosen = 0
    private var session: Session? = null

    /** The camera may not be used. */
    fun denied() {
        state.value = UiState.Live.Denied
    }

    /** The camera may be used: which one, and the size of its pictures, so that the screen can make room. */
    fun prepare() {
        if (session != null) return
        val choices = cameras.choices()
        val camera = choices.getOrNull(chosen.coerceAtMost(choices.size - 1))
        state.value = if (camera == null) UiState.Live.NoCamera else UiState.Live.Starting(camera, choices.size > 1)
    }

    /** Begin on [preview], which is ready, on a display turned by [displayDegrees]. */
    fun begin(preview: SurfaceHolder, displayDegrees: Int) {
        val starting = state.value as? UiState.Live.Starting ?: return
        if (session != null) return
        val next = Session(starting)
        session = next
        worker.execute {
            val loaded = next.load()
            main.execute { if (loaded) next.open(preview, displayDegrees) }
        }
    }

    /** The screen goes, or its surface does. */
    fun end() {
        session?.close()
        session = null
        if (state.value is UiState.Live.Watching || state.value is UiState.Live.Starting) {
            state.value = UiState.Live.NeedsPermission
        }
    }

    /** Look through the next camera from now on; [prepare] follows. */
    fun switchCamera() {
        val count = cameras.choices().size
        end()
        if (count > 0) chosen = (chosen + 1) % count
    }

    private inner class Session(private val starting: UiState.Live.Starting) : CameraWatcher, Closeable {
        private var runtime: ModelRuntime? = null
        private var watch: LiveWatch? = null
        private var camera: Closeable? = null

        @Volatile
        private var isClosed = false

        /** On the worker. */
        fun load(): Boolean {
            val ready = when (val opened = model.opened()) {
                is UiState.Model.Ready -> opened
                is UiState.Model.Refused -> return refuse(opened.why)
                UiState.Model.Opening -> error("opened() waits")
            }
            val loaded = try {
                model.load(ready)
            } catch (refused: ModelNotLoaded) {
                return refuse(refused.why)
            }
            synchronized(this) {
                if (isClosed) {
                    loaded.close()
                    return false
                }
                runtime = loaded
                watch = LiveWatch(ready.manifest, loaded)
            }
            return true
        }

        fun open(preview: SurfaceHolder, displayDegrees: Int) {
            if (!isClosed) camera = cameras.open(starting.camera, preview, displayDegrees, this)
        }

        override fun wants(timeMs: Double): Boolean = !isClosed && watch?.wants(timeMs) == true

        @Synchronized
        override fun onFrame(timeMs: Double, frame: Frame, faces: List<Box>) {
            if (isClosed) return
            try {
                val reading = watch!!.offer(timeMs, frame, faces)
                show(UiState.Live.Watching(starting.camera, starting.others, reading))
            } catch (failure: RuntimeFailure) {
                Log.w("Megatron", "the model failed", failure)
                refuse(Refusal.Runtime(failure.message.orEmpty()))
            }
        }

        override fun onStopped() = show(UiState.Live.CameraStopped)

        override fun close() {
            camera?.close()
            // Not while a frame is being judged.
            synchronized(this) {
                isClosed = true
                runtime?.close()
                runtime = null
            }
        }

        private fun refuse(why: Refusal): Boolean {
            show(UiState.Live.Refused(why))
            return false
        }

        @Synchronized
        private fun show(next: UiState.Live) {
            if (!isClosed) state.value = next
        }
    }
}
