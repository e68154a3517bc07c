package org.megatron.mobile.ui

import android.app.Activity
import android.os.Looper
import android.view.View
import android.widget.TextView
import org.junit.Assert.assertEquals
import org.junit.runner.RunWith
import org.megatron.mobile.R
import org.megatron.mobile.detector.grey
import org.megatron.mobile.detector.middle
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController

/** What the tests of the screens share. */
@RunWith(RobolectricTestRunner::class)
abstract class ScreenTest {
    protected val app: TestApp get() = RuntimeEnvironment.getApplication() as TestApp

    protected val phone: FakePhone get() = app.phone

    protected inline fun <reified A : Activity> start(intent: android.content.Intent? = null): ActivityController<A> =
        Robolectric.buildActivity(A::class.java, intent).setup().also { settle() }

    /** Let the app's threads and then its main thread do all they have to. */
    protected fun finishWork() {
        phone.quick.runAll()
        phone.worker.runAll()
        settle()
    }

    fun settle() = shadowOf(Looper.getMainLooper()).idle()

    /** The process ends and the app starts anew; what it wrote is still there. */
    protected fun restartProcess() {
        app.onCreate()
        settle()
    }

    protected fun Activity.shown(id: Int): Boolean = findViewById<View>(id).isShown

    protected fun Activity.text(id: Int): String = findViewById<TextView>(id).text.toString()

    protected fun Activity.click(id: Int) {
        findViewById<View>(id).performClick()
        settle()
    }

    protected fun assertSays(activity: Activity, id: Int, text: String) {
        assertEquals(text, activity.text(id))
        assertEquals("is shown", true, activity.shown(id))
    }

    /** The card that one sees when there is no verdict: [text] above the button. */
    protected fun assertMessage(activity: Activity, text: String) = assertSays(activity, R.id.message, text)

    /** A video of [count] frames, 100 ms apart, whose middle is as bright as [level]: 255 is a sure fake. */
    protected fun layOutVideo(count: Int = 30, level: Int = 255, endsEarly: Boolean = false, onFrame: (Int) -> Unit = {}) {
        phone.videos = org.megatron.mobile.media.VideoOpener {
            FakeVideo((0 until count).map { 100.0 * it to grey(level) }, endsEarly = endsEarly, onFrame = onFrame)
        }
        phone.finder = org.megatron.mobile.media.FaceFinder { listOf(middle) }
    }
}
