package org.megatron.mobile.ui

import android.view.SurfaceHolder
import org.megatron.mobile.detector.ArtifactFiles
import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.FakeRuntime
import org.megatron.mobile.detector.Frame
import org.megatron.mobile.media.CameraChoice
import org.megatron.mobile.media.CameraWatcher
import org.megatron.mobile.media.Cameras
import org.megatron.mobile.media.FaceFinder
import org.megatron.mobile.media.TimedFrame
import org.megatron.mobile.media.VideoFrames
import org.megatron.mobile.media.VideoOpener
import org.megatron.mobile.runtime.ModelRuntime
import java.io.Closeable
import java.io.InputStream
import java.util.concurrent.Executor

/** Runs what it is given when a test says so: whatever is under way can be looked at. */
class StepExecutor : Executor {
    private val waiting = ArrayDeque<Runnable>()

    override fun execute(command: Runnable) {
        synchronized(waiting) { waiting += command }
    }

    /** Everything that waits, and what that makes wait. */
    fun runAll() {
        while (true) (synchronized(waiting) { waiting.removeFirstOrNull() } ?: return).run()
    }
}

/** Files in memory. */
class FakeFiles(val content: MutableMap<String, ByteArray>) : ArtifactFiles {
    override fun open(path: String): InputStream? = content[path]?.inputStream()

    override fun below(folder: String): List<String> =
        content.keys.filter { it.startsWith("$folder/") }.map { it.removePrefix("$folder/") }
}

/** A video of [frames] by their times; before each one [onFrame] is told its place. */
class FakeVideo(
    private val frames: List<Pair<Double, Frame>>,
    override val durationMs: Double? = frames.lastOrNull()?.first,
    override val endsEarly: Boolean = false,
    private val onFrame: (Int) -> Unit = {},
) : VideoFrames {
    private var next = 0
    var isClosed = false
        private set

    override fun next(wants: (timeMs: Double) -> Boolean): TimedFrame? {
        while (next < frames.size) {
            onFrame(next)
            val (timeMs, frame) = frames[next++]
            if (wants(timeMs)) return TimedFrame(timeMs, frame)
        }
        return null
    }

    override fun close() {
        isClosed = true
    }
}

/** Cameras whose frames a test sends. */
class FakeCameras(private val all: List<CameraChoice>) : Cameras {
    var watcher: CameraWatcher? = null
        private set
    var opened: CameraChoice? = null
        private set

    override fun choices() = all

    override fun open(choice: CameraChoice, preview: SurfaceHolder, displayDegrees: Int, watcher: CameraWatcher): Closeable {
        opened = choice
        this.watcher = watcher
        return Closeable {
            opened = null
            this.watcher = null
        }
    }

    /** A frame and its faces, as the camera's thread would bring them. */
    fun send(timeMs: Double, frame: Frame, faces: List<Box>) {
        val told = watcher ?: return
        if (told.wants(timeMs)) told.onFrame(timeMs, frame, faces)
    }
}

/** What the app finds around it; a test changes it before it acts. */
class FakePhone {
    val worker = StepExecutor()
    val quick = StepExecutor()
    var files = FakeFiles(testBundle())
    var load: (threads: Int) -> ModelRuntime = { FakeRuntime() }
    var videos: VideoOpener = VideoOpener { error("no video was laid out") }
    var finder = FaceFinder { emptyList() }
    var cameras = FakeCameras(listOf(BACK, FRONT))
    private var now = 0L

    /** A clock that goes on by a millisecond whenever it is looked at: nothing waits for the real one. */
    fun nanos(): Long = (now + MILLISECOND).also { now = it }

    companion object {
        val BACK = CameraChoice("0", isFront = false, width = 64, height = 48, sensorOrientation = 90)
        val FRONT = CameraChoice("1", isFront = true, width = 64, height = 48, sensorOrientation = 270)
        private const val MILLISECOND = 1_000_000L
    }
}

/** The app on a [FakePhone]. */
class TestApp : MegatronApp() {
    var phone = FakePhone()
        private set

    /** As after installation, on another phone. */
    fun renew() {
        phone = FakePhone()
        onCreate()
    }

    override fun phoneside() = Phoneside(
        loader = { _, _, threads -> phone.load(threads) },
        videos = { phone.videos.open(it) },
        finder = { phone.finder },
        cameras = object : Cameras {
            override fun choices() = phone.cameras.choices()

            override fun open(choice: CameraChoice, preview: SurfaceHolder, displayDegrees: Int, watcher: CameraWatcher) =
                phone.cameras.open(choice, preview, displayDegrees, watcher)
        },
        files = object : ArtifactFiles {
            override fun open(path: String) = phone.files.open(path)

            override fun below(folder: String) = phone.files.below(folder)
        },
        nanos = { phone.nanos() },
        worker = phone.worker,
        quick = phone.quick,
    )
}
