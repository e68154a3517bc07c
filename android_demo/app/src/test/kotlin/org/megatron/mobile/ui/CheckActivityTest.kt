package org.megatron.mobile.ui

import android.app.Activity
import android.content.Intent
import android.net.Uri
import android.view.View
import android.widget.LinearLayout
import android.widget.ProgressBar
import android.widget.TextView
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.megatron.mobile.R
import org.megatron.mobile.detector.Label
import org.megatron.mobile.media.CheckFailure
import org.megatron.mobile.media.VideoOpener
import org.megatron.mobile.media.VideoRefused
import org.megatron.mobile.runtime.RuntimeFailure
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

private val VIDEO: Uri = Uri.parse("content://videos/party.mp4")

class CheckActivityTest : ScreenTest() {
    private val state: UiState.Check get() = app.check.state.value

    private fun shared(uri: Uri = VIDEO) = Intent(Intent.ACTION_SEND).setType("video/mp4").putExtra(Intent.EXTRA_STREAM, uri)

    @Test
    fun `the picker is asked for videos, and what it gives is checked to a verdict`() {
        layOutVideo(count = 30, level = 255)
        val activity = start<CheckActivity>().get()
        activity.click(R.id.choose)
        val request = shadowOf(activity).nextStartedActivityForResult.intent
        assertEquals(Intent.ACTION_OPEN_DOCUMENT, request.action)
        assertEquals("video/*", request.type)

        shadowOf(activity).receiveResult(request, Activity.RESULT_OK, Intent().setData(VIDEO))
        settle()
        assertTrue(state is UiState.Check.Running)
        assertTrue(activity.shown(R.id.running))

        finishWork()
        val report = (state as UiState.Check.Finished).report
        assertEquals(Label.FAKE, report.label)
        assertEquals(30, report.frames)
        assertSays(activity, R.id.verdict, "Looks fake")
        assertSays(activity, R.id.probability, "Probability of a fake: 98%")
        assertSays(activity, R.id.coverage, "A face on 100% of 30 frames")
        assertSays(activity, R.id.video_name, "party.mp4")
        assertEquals(2, activity.findViewById<LinearLayout>(R.id.windows).childCount)
        assertEquals(12, activity.findViewById<LinearLayout>(R.id.faces).childCount)
    }

    @Test
    fun `a picker that was left without a choice changes nothing`() {
        val activity = start<CheckActivity>().get()
        activity.click(R.id.choose)
        val request = shadowOf(activity).nextStartedActivityForResult.intent
        shadowOf(activity).receiveResult(request, Activity.RESULT_CANCELED, null)
        settle()
        assertEquals(UiState.Check.Idle(), state)
    }

    @Test
    fun `a shared video is checked at once, and only once however often the screen comes back`() {
        layOutVideo(level = 0)
        val controller = start<CheckActivity>(shared())
        finishWork()
        assertEquals(Label.REAL, (state as UiState.Check.Finished).report.label)
        controller.recreate()
        settle()
        assertTrue(state is UiState.Check.Finished)
        assertSays(controller.get(), R.id.verdict, "Looks real")
    }

    @Test
    fun `a share of a file that the other app could not have lent is not opened`() {
        start<CheckActivity>(shared(Uri.parse("file:///data/data/org.megatron.mobile/files/check/finished.json")))
        assertEquals(UiState.Check.Idle(), state)
    }

    @Test
    fun `progress is shown by time, frames and faces`() {
        val seen = ArrayList<String>()
        lateinit var activity: Activity
        layOutVideo(count = 41) { place ->
            settle()
            if (place == 21) {
                seen += activity.text(R.id.running_figures)
                seen += activity.findViewById<ProgressBar>(R.id.running_bar).progress.toString()
            }
        }
        activity = start<CheckActivity>(shared()).get()
        finishWork()
        // The faces of the last five frames are held back until it is known whether one was only missed.
        assertEquals(listOf("0:02.0 of 0:04.0 · 21 frames, 16 with a face", "500"), seen)
    }

    @Test
    fun `cancel stops the check at the next frame and forgets it`() {
        var last = 0
        lateinit var activity: Activity
        layOutVideo(count = 100) { place ->
            last = place
            if (place == 10) activity.findViewById<View>(R.id.cancel).performClick()
        }
        activity = start<CheckActivity>(shared()).get()
        finishWork()
        assertEquals(10, last)
        assertEquals(UiState.Check.Idle(wasCancelled = true), state)
        assertMessage(activity, "The check was cancelled.")
        restartProcess()
        assertEquals(UiState.Check.Idle(), state)
    }

    @Test
    fun `another video takes the place of the one that is being checked`() {
        val opened = ArrayList<String>()
        layOutVideo()
        val videos = phone.videos
        phone.videos = VideoOpener { uri ->
            opened += uri
            if (opened.size == 1) app.check.start("content://videos/second.mp4")
            videos.open(uri)
        }
        start<CheckActivity>(shared())
        finishWork()
        assertEquals(listOf(VIDEO.toString(), "content://videos/second.mp4"), opened)
        assertEquals("second.mp4", (state as UiState.Check.Finished).video.name)
    }

    @Test
    fun `turning the phone during a check loses nothing`() {
        layOutVideo(count = 30)
        val controller = start<CheckActivity>(shared())
        val before = state
        RuntimeEnvironment.setQualifiers("+land")
        controller.configurationChange(app.resources.configuration)
        controller.visible()
        settle()
        assertEquals(before, state)
        assertTrue(controller.get().shown(R.id.running))
        finishWork()
        assertSays(controller.get(), R.id.verdict, "Looks fake")
    }

    @Test
    fun `turning the phone keeps the place in the video`() {
        layOutVideo(count = 30)
        val controller = start<CheckActivity>(shared())
        finishWork()
        controller.get().findViewById<LinearLayout>(R.id.windows).getChildAt(1).performClick()
        controller.recreate()
        settle()
        assertEquals(1000, controller.get().findViewById<FilmView>(R.id.film).positionMs)
        assertEquals(1000.0, controller.get().findViewById<TimelineView>(R.id.timeline).positionMs, 0.0)
    }

    @Test
    fun `a finished verdict is still there after the process ended`() {
        layOutVideo(count = 30)
        start<CheckActivity>(shared())
        finishWork()
        val before = state as UiState.Check.Finished
        restartProcess()
        assertEquals(before, state)
        val activity = start<CheckActivity>().get()
        assertSays(activity, R.id.verdict, "Looks fake")
        assertEquals(before.faces.size, activity.findViewById<LinearLayout>(R.id.faces).childCount)
    }

    @Test
    fun `a running check starts again after the process ended, and says so`() {
        layOutVideo(count = 30)
        start<CheckActivity>(shared())
        restartProcess()
        val activity = start<CheckActivity>().get()
        assertTrue((state as UiState.Check.Running).isAgain)
        assertSays(activity, R.id.running_again, "The app had been closed in between: the check started again.")
        finishWork()
        assertSays(activity, R.id.verdict, "Looks fake")
    }

    @Test
    fun `a video that ends the process every time is given up`() {
        layOutVideo(count = 30)
        start<CheckActivity>(shared())
        repeat(2) { restartProcess() }
        assertTrue((state as UiState.Check.Running).isAgain)
        restartProcess()
        assertEquals(UiState.Check.Failed(CheckFailure.INSIDE), state)
    }

    @Test
    fun `a check that may not read its video after the process ended says what to do`() {
        layOutVideo(count = 30)
        start<CheckActivity>(shared())
        restartProcess()
        phone.videos = VideoOpener { throw VideoRefused(CheckFailure.UNREADABLE) }
        val activity = start<CheckActivity>().get()
        finishWork()
        assertEquals(UiState.Check.Failed(CheckFailure.INTERRUPTED), state)
        assertMessage(activity, "The app was closed during the check, and it may not read the video any more. Choose it again.")
        restartProcess()
        assertEquals(UiState.Check.Idle(), state)
    }

    @Test
    fun `a stored verdict that cannot be read is none`() {
        layOutVideo(count = 30)
        start<CheckActivity>(shared())
        finishWork()
        app.filesDir.resolve("check/finished.json").writeText("{\"label\": \"PERHAPS\"}")
        restartProcess()
        assertEquals(UiState.Check.Idle(), state)
    }

    @Test
    fun `a broken video is refused with a sentence`() {
        phone.videos = VideoOpener { throw VideoRefused(CheckFailure.NO_VIDEO) }
        val activity = start<CheckActivity>(shared()).get()
        finishWork()
        assertEquals(UiState.Check.Failed(CheckFailure.NO_VIDEO), state)
        assertMessage(activity, "This file is not a video that the phone can read. Choose another one.")
        assertTrue(activity.shown(R.id.choose))
    }

    @Test
    fun `a video of which no frame can be decoded is refused`() {
        layOutVideo(count = 0)
        start<CheckActivity>(shared())
        finishWork()
        assertEquals(UiState.Check.Failed(CheckFailure.DAMAGED), state)
    }

    @Test
    fun `whatever a decoder throws ends in a sentence`() {
        layOutVideo { place -> if (place == 3) throw UnsupportedOperationException("a decoder of its own kind") }
        val activity = start<CheckActivity>(shared()).get()
        finishWork()
        assertEquals(UiState.Check.Failed(CheckFailure.INSIDE), state)
        assertTrue(activity.shown(R.id.message))
    }

    @Test
    fun `a video without a face is undecided, not real`() {
        layOutVideo(count = 30)
        phone.finder = org.megatron.mobile.media.FaceFinder { emptyList() }
        val activity = start<CheckActivity>(shared()).get()
        finishWork()
        assertNull((state as UiState.Check.Finished).report.fakeProbability)
        assertSays(activity, R.id.verdict, "Undecided")
        assertTrue(activity.text(R.id.probability).startsWith("Too few frames show a face to decide."))
        assertSays(activity, R.id.faces_none, "No face was found.")
        assertFalse(activity.shown(R.id.rule))
    }

    @Test
    fun `a video that ends at a damage is judged up to there, and it is said`() {
        layOutVideo(count = 25, endsEarly = true)
        val activity = start<CheckActivity>(shared()).get()
        finishWork()
        assertSays(activity, R.id.ends_early, "The video ends early: its file is damaged after 0:02.4. The verdict is about what came before.")
    }

    @Test
    fun `a phone without a picker is told to share`() {
        val activity = start<CheckActivity>().get()
        shadowOf(app).checkActivities(true)
        activity.click(R.id.choose)
        assertEquals(UiState.Check.Failed(CheckFailure.NO_PICKER), state)
    }

    @Test
    fun `a runtime that cannot be loaded is refused`() {
        layOutVideo()
        phone.load = { throw RuntimeFailure("no such library") }
        val activity = start<CheckActivity>(shared()).get()
        finishWork()
        assertTrue(state is UiState.Check.Refused)
        assertMessage(activity, "The model cannot be started on this phone.")
    }

    @Test
    fun `tapping the timeline goes to that place`() {
        layOutVideo(count = 31)
        val activity = start<CheckActivity>(shared()).get()
        finishWork()
        val timeline = activity.findViewById<TimelineView>(R.id.timeline)
        assertEquals("Timeline: 3 windows, 3 of them fake, 0 undecided", timeline.contentDescription)
        val event = android.view.MotionEvent.obtain(0, 0, android.view.MotionEvent.ACTION_UP, timeline.width / 2f, 5f, 0)
        timeline.dispatchTouchEvent(event)
        assertEquals(1500, activity.findViewById<FilmView>(R.id.film).positionMs)
    }

    @Test
    fun `a window is read out with its times and its answer`() {
        layOutVideo(count = 30, level = 0)
        val activity = start<CheckActivity>(shared()).get()
        finishWork()
        val first = activity.findViewById<LinearLayout>(R.id.windows).getChildAt(0) as TextView
        assertEquals("0:00.0 to 0:01.9: 2% fake", first.text.toString())
    }
}
