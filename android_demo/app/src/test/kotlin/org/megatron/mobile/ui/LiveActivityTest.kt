package org.megatron.mobile.ui

import android.Manifest
import android.content.pm.PackageManager
import android.provider.Settings
import android.view.SurfaceView
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.megatron.mobile.R
import org.megatron.mobile.detector.FakeRuntime
import org.megatron.mobile.detector.Label
import org.megatron.mobile.detector.grey
import org.megatron.mobile.detector.middle
import org.megatron.mobile.runtime.RuntimeFailure
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import java.nio.FloatBuffer

class LiveActivityTest : ScreenTest() {
    private val state: UiState.Live get() = app.live.state.value

    private fun allow() = shadowOf(app).grantPermissions(Manifest.permission.CAMERA)

    private fun watching(): ActivityController<LiveActivity> {
        allow()
        val controller = start<LiveActivity>()
        appear(controller.get())
        return controller
    }

    /** The preview's surface, which a window system would make. */
    private fun appear(activity: LiveActivity) {
        activity.surfaceChanged(activity.findViewById<SurfaceView>(R.id.preview).holder, 0, 64, 48)
        finishWork()
    }

    private fun send(count: Int, from: Int = 0, level: Int = 255, isSeen: Boolean = true) {
        for (place in from until from + count) {
            phone.cameras.send(100.0 * place, grey(level), if (isSeen) listOf(middle) else emptyList())
        }
        settle()
    }

    private fun answer(activity: LiveActivity, result: Int) {
        activity.onRequestPermissionsResult(1, arrayOf(Manifest.permission.CAMERA), intArrayOf(result))
        settle()
    }

    @Test
    fun `the camera is asked for with a reason, by a button`() {
        val activity = start<LiveActivity>().get()
        finishWork()
        assertEquals(UiState.Live.NeedsPermission, state)
        assertMessage(
            activity, "The camera is needed to look at faces live. The pictures are looked at and forgotten at once.",
        )
        activity.click(R.id.allow)
        val request = shadowOf(activity).lastRequestedPermission
        assertEquals(listOf(Manifest.permission.CAMERA), request.requestedPermissions.toList())
    }

    @Test
    fun `a denied camera is explained, and leads to the settings`() {
        val activity = start<LiveActivity>().get()
        finishWork()
        answer(activity, PackageManager.PERMISSION_DENIED)
        assertEquals(UiState.Live.Denied, state)
        assertTrue(activity.text(R.id.message).startsWith("Without the camera there is nothing to look at."))
        assertTrue(activity.shown(R.id.allow))
        activity.click(R.id.settings)
        assertEquals(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, shadowOf(activity).nextStartedActivity.action)
        assertNull("no camera was opened", phone.cameras.opened)
    }

    @Test
    fun `a camera that is allowed at last is opened`() {
        val activity = start<LiveActivity>().get()
        finishWork()
        answer(activity, PackageManager.PERMISSION_DENIED)
        allow()
        answer(activity, PackageManager.PERMISSION_GRANTED)
        assertSays(activity, R.id.verdict, "Starting the camera…")
        appear(activity)
        assertEquals(FakePhone.BACK, phone.cameras.opened)
    }

    @Test
    fun `frames are counted until a window is full, then the probability runs`() {
        val activity = watching().get()
        send(12)
        // Five frames are held back until it is known whether their face was only missed.
        assertSays(activity, R.id.verdict, "Looking: 7 of 20 frames")
        assertTrue(activity.text(R.id.cost).endsWith(" ms a frame"))
        send(13, from = 12)
        assertSays(activity, R.id.verdict, "Looks fake")
        assertSays(activity, R.id.probability, "Probability of a fake: 98%")
        assertSays(activity, R.id.coverage, "A face on 100% of the last frames")
        send(40, from = 25, level = 0)
        assertSays(activity, R.id.verdict, "Looks real")
    }

    @Test
    fun `the box is drawn around the newest face and told to TalkBack`() {
        val activity = watching().get()
        send(1)
        assertEquals(middle, (state as UiState.Live.Watching).reading.box)
        assertEquals("A frame around the face", activity.findViewById<BoxView>(R.id.box).contentDescription)
        send(1, from = 1, isSeen = false)
        assertNull(activity.findViewById<BoxView>(R.id.box).contentDescription)
        assertSays(activity, R.id.probability, "No face in view")
    }

    @Test
    fun `windows without enough faces are undecided`() {
        val activity = watching().get()
        send(30, isSeen = false)
        assertEquals(Label.UNDECIDED, (state as UiState.Live.Watching).reading.label)
        assertSays(activity, R.id.verdict, "Undecided")
    }

    @Test
    fun `the other camera takes over, mirrored`() {
        val activity = watching().get()
        send(1)
        activity.click(R.id.other_camera)
        appear(activity)
        assertEquals(FakePhone.FRONT, phone.cameras.opened)
    }

    @Test
    fun `leaving the screen closes the camera and the model`() {
        var closed = 0
        phone.load = {
            object : org.megatron.mobile.runtime.ModelRuntime by FakeRuntime() {
                override fun close() {
                    closed++
                }
            }
        }
        val controller = watching()
        send(3)
        assertNotNull(phone.cameras.opened)
        controller.pause().stop()
        assertNull(phone.cameras.opened)
        assertEquals(1, closed)
        assertEquals(UiState.Live.NeedsPermission, state)
    }

    @Test
    fun `a camera that stops says why that may be`() {
        val activity = watching().get()
        send(3)
        phone.cameras.watcher!!.onStopped()
        settle()
        assertMessage(activity, "The camera stopped. Another app may be using it: close that app and come back.")
    }

    @Test
    fun `a phone without a camera says so`() {
        phone.cameras = FakeCameras(emptyList())
        allow()
        val activity = start<LiveActivity>().get()
        finishWork()
        assertMessage(activity, "This phone has no camera that the app can use.")
        assertFalse(activity.shown(R.id.allow))
    }

    @Test
    fun `one camera needs no button for another`() {
        phone.cameras = FakeCameras(listOf(FakePhone.BACK))
        assertFalse(watching().get().shown(R.id.other_camera))
    }

    @Test
    fun `a model that fails on a frame ends in a sentence`() {
        phone.load = {
            object : org.megatron.mobile.runtime.ModelRuntime by FakeRuntime() {
                override fun encode(frame: FloatBuffer, rgb: FloatArray, depth: FloatArray) = throw RuntimeFailure("out of memory")
            }
        }
        val activity = watching().get()
        send(10)
        assertMessage(activity, "The model cannot be started on this phone.")
    }
}
