package org.megatron.mobile.ui

import android.Manifest
import android.app.Activity
import android.content.Intent
import android.view.SurfaceView
import org.megatron.mobile.R
import org.megatron.mobile.detector.grey
import org.megatron.mobile.detector.middle
import org.megatron.mobile.media.CheckFailure
import org.megatron.mobile.media.FaceFinder
import org.megatron.mobile.media.VideoOpener
import org.megatron.mobile.media.VideoRefused
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf

/** What a scene may use. [picture] is the frame of a video at a place, with its face box. */
class Stage(val app: TestApp, val finishWork: () -> Unit, val picture: (Int) -> Pair<org.megatron.mobile.detector.Frame, org.megatron.mobile.detector.Box>) {
    fun <A : Activity> start(screen: Class<A>, intent: Intent? = null): A = Robolectric.buildActivity(screen, intent).setup().get()

    /** A video of [count] frames, 100 ms apart; [faces] of them show one. */
    fun layOutVideo(count: Int, faces: Int = count, onFrame: (Int) -> Unit = {}) {
        var shown = 0
        app.phone.videos = VideoOpener {
            FakeVideo((0 until count).map { 100.0 * it to picture(it).first }, onFrame = onFrame)
        }
        app.phone.finder = FaceFinder { if (shown < faces) listOf(picture(shown++).second) else emptyList() }
    }

    fun check(name: String = "video-of-a-birthday.mp4"): CheckActivity {
        val activity = start(CheckActivity::class.java)
        app.check.start("content://videos/$name")
        return activity
    }
}

/** A screen in a state that a person sees. [play] brings it there; what it shows then is looked at. */
class Scene(val name: String, val play: Stage.() -> Activity) {
    override fun toString() = name
}

/** Every screen, in every state that looks different. */
val scenes = listOf(
    Scene("check-idle") { start(CheckActivity::class.java).also { finishWork() } },
    Scene("check-running") {
        lateinit var activity: Activity
        layOutVideo(count = 60) { place -> if (place == 38) throw Paused }
        activity = check()
        try {
            finishWork()
        } catch (_: Paused) {
            // The check stands still where it is looked at.
        }
        activity
    },
    Scene("check-finished") {
        layOutVideo(count = 60)
        check().also { finishWork() }
    },
    Scene("check-undecided") {
        layOutVideo(count = 24, faces = 3)
        check().also { finishWork() }
    },
    Scene("check-broken-video") {
        app.phone.videos = VideoOpener { throw VideoRefused(CheckFailure.NO_VIDEO) }
        check().also { finishWork() }
    },
    Scene("check-missing-asset") {
        app.phone.files = FakeFiles(testBundle().also { it.remove(PROGRAM) })
        start(CheckActivity::class.java).also { finishWork() }
    },
    Scene("check-corrupted-artefact") {
        app.phone.files = FakeFiles(testBundle().also { it[PROGRAM] = byteArrayOf(1) })
        start(CheckActivity::class.java).also { finishWork() }
    },
    Scene("live-asking") { start(LiveActivity::class.java).also { finishWork() } },
    Scene("live-denied") {
        start(LiveActivity::class.java).also {
            finishWork()
            app.live.denied()
        }
    },
    Scene("live-watching") {
        shadowOf(app).grantPermissions(Manifest.permission.CAMERA)
        val activity = start(LiveActivity::class.java)
        activity.surfaceChanged(activity.findViewById<SurfaceView>(R.id.preview).holder, 0, 64, 48)
        finishWork()
        repeat(30) { app.phone.cameras.send(100.0 * it, picture(it).first, listOf(picture(it).second)) }
        activity
    },
    Scene("benchmark-idle") { start(BenchmarkActivity::class.java).also { finishWork() } },
    Scene("benchmark-finished") {
        val activity = start(BenchmarkActivity::class.java, Intent().putExtra("iterations", 8))
        activity.also { finishWork() }
    },
    Scene("about") { start(AboutActivity::class.java).also { finishWork() } },
)

/** Stops a check in its middle: an Error, which the app does not take for a failure of the video. */
private object Paused : Error() {
    private fun readResolve(): Any = Paused
}

/** Frames of one grey after another, for scenes that nobody looks at. */
fun greys(place: Int) = grey(140 + 3 * (place % 30)) to middle

