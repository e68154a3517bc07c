package org.megatron.mobile.ui

import android.util.Log
import org.megatron.mobile.detector.ArtifactFiles
import org.megatron.mobile.detector.ArtifactRow
import org.megatron.mobile.detector.Manifest
import org.megatron.mobile.detector.Opening
import org.megatron.mobile.detector.openArtifact
import org.megatron.mobile.runtime.ModelRuntime
import org.megatron.mobile.runtime.RuntimeFailure
import java.io.IOException
import java.util.concurrent.Executor
import java.util.concurrent.FutureTask

/** Loads the opened [program] for [threads] threads, 0 for the runtime's own choice. Throws [RuntimeFailure], [IOException]. */
fun interface RuntimeLoader {
    fun load(manifest: Manifest, program: ArtifactRow, threads: Int): ModelRuntime
}

/** The opened model cannot be started. */
class ModelNotLoaded(val why: Refusal, cause: Throwable) : Exception(cause)

/** The bundled model: opened and checked once a process, loaded anew for whoever runs it. */
class ModelKeeper(private val files: ArtifactFiles, private val loader: RuntimeLoader, main: Executor) {
    val state = Observed<UiState.Model>(UiState.Model.Opening, main)

    private val opening = FutureTask(::open)

    /** The model, opened on the calling thread if no other is at it; not for the main thread. */
    fun opened(): UiState.Model {
        opening.run()
        return opening.get()
    }

    /** A runtime of the caller's own, who closes it. Throws [ModelNotLoaded]. */
    fun load(ready: UiState.Model.Ready, threads: Int = 0): ModelRuntime = try {
        loader.load(ready.manifest, ready.program, threads)
    } catch (failure: RuntimeFailure) {
        throw notLoaded(failure)
    } catch (failure: IOException) {
        throw notLoaded(failure)
    }

    private fun notLoaded(cause: Exception): ModelNotLoaded {
        Log.w(TAG, "the model cannot be started", cause)
        return ModelNotLoaded(Refusal.Runtime(cause.message.orEmpty()), cause)
    }

    private fun open(): UiState.Model {
        val model = when (val opening = openArtifact(files)) {
            is Opening.Opened -> UiState.Model.Ready(opening.manifest, opening.program)
            is Opening.Refused -> {
                Log.w(TAG, "the model is refused: $opening")
                UiState.Model.Refused(Refusal.Model(opening))
            }
        }
        state.value = model
        return model
    }

    private companion object {
        const val TAG = "Megatron"
    }
}
