package org.megatron.mobile.ui

import android.util.Log
import org.megatron.mobile.media.CheckFailure
import org.megatron.mobile.media.CheckProgress
import org.megatron.mobile.media.FaceFinder
import org.megatron.mobile.media.VideoCheck
import org.megatron.mobile.media.VideoOpener
import org.megatron.mobile.media.VideoRefused
import org.megatron.mobile.runtime.RuntimeFailure
import java.util.concurrent.Executor

/**
 * The check of one video at a time. It belongs to the app, not to a screen: turning the phone or leaving the screen
 * changes nothing. What must outlive the process lies in [shelf]: the finished verdict, or which check was running.
 */
class CheckController(
    private val model: ModelKeeper,
    private val videos: VideoOpener,
    private val finder: () -> FaceFinder,
    private val nameOf: (uri: String) -> String,
    private val shelf: CheckShelf,
    private val worker: Executor,
    main: Executor,
) {
    val state = Observed<UiState.Check>(UiState.Check.Idle(), main)

    /** Counts checks: one that is no longer the newest stops and says nothing more. */
    @Volatile
    private var newest = 0

    /** At the start of the process: the verdict that was there, or the check that was running, again. Main thread. */
    fun restore() {
        shelf.finished()?.let { state.value = it }
        val interrupted = shelf.running() ?: return
        // A video that takes the process down with it would do so for ever.
        if (interrupted.starts < MOST_STARTS) start(interrupted.video, interrupted.starts + 1)
        else fail(CheckFailure.INSIDE)
    }

    /** Check the video at [uri] instead of whatever is there. Main thread. */
    fun start(uri: String) = start(VideoRef(uri, name = ""), starts = 1)

    /** Stop the running check and forget it. Main thread. */
    @Synchronized
    fun cancel() {
        if (state.value is UiState.Check.Running) forget(UiState.Check.Idle(wasCancelled = true))
    }

    /** The choice itself failed: nothing runs. Main thread. */
    @Synchronized
    fun fail(failure: CheckFailure) = forget(UiState.Check.Failed(failure))

    private fun forget(next: UiState.Check) {
        newest++
        shelf.clear()
        state.value = next
    }

    @Synchronized
    private fun start(video: VideoRef, starts: Int) {
        val check = ++newest
        val isAgain = starts > 1
        shelf.begin(video, starts)
        state.value = UiState.Check.Running(video, CheckProgress(), isAgain)
        worker.execute { if (isNewest(check)) settle(check, outcome(check, video, isAgain)) }
    }

    private fun isNewest(check: Int) = check == newest

    /** The worker's word on a check, unless the main thread has stopped it meanwhile. */
    @Synchronized
    private fun tell(check: Int, running: UiState.Check.Running) {
        if (isNewest(check)) state.value = running
    }

    /** What becomes of the check; null where it is no longer wanted. */
    private fun outcome(check: Int, chosen: VideoRef, isAgain: Boolean): UiState.Check? {
        val video = chosen.copy(name = nameOf(chosen.uri))
        tell(check, UiState.Check.Running(video, CheckProgress(), isAgain))
        val ready = when (val opened = model.opened()) {
            is UiState.Model.Ready -> opened
            is UiState.Model.Refused -> return UiState.Check.Refused(opened.why)
            UiState.Model.Opening -> error("opened() waits")
        }
        return try {
            model.load(ready).use {
                val checked = videos.open(video.uri).use { frames ->
                    VideoCheck(ready.manifest, it, finder()).run(frames, { !isNewest(check) }) { progress ->
                        tell(check, UiState.Check.Running(video, progress, isAgain))
                    }
                }
                checked?.let { shelf.picture(video, checked) }
            }
        } catch (refused: VideoRefused) {
            Log.w(TAG, "the video is refused", refused)
            val interrupted = isAgain && refused.failure == CheckFailure.UNREADABLE
            UiState.Check.Failed(if (interrupted) CheckFailure.INTERRUPTED else refused.failure)
        } catch (refused: ModelNotLoaded) {
            UiState.Check.Refused(refused.why)
        } catch (failure: RuntimeFailure) {
            Log.w(TAG, "the model failed", failure)
            UiState.Check.Refused(Refusal.Runtime(failure.message.orEmpty()))
        } catch (failure: Exception) {
            // A phone's decoder and face detector throw what they like; the screen must not end in a crash.
            Log.e(TAG, "the check failed", failure)
            UiState.Check.Failed(CheckFailure.INSIDE)
        }
    }

    @Synchronized
    private fun settle(check: Int, outcome: UiState.Check?) {
        if (outcome == null || !isNewest(check)) return
        if (outcome is UiState.Check.Finished) shelf.keep(outcome) else shelf.clear()
        state.value = outcome
    }

    private companion object {
        const val TAG = "Megatron"
        const val MOST_STARTS = 3
    }
}
