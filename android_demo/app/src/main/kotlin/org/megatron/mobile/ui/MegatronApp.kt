package org.megatron.mobile.ui

import android.app.Application
import android.content.pm.PackageManager
import android.os.Build
import android.os.Handler
import android.os.Looper
import org.megatron.mobile.benchmark.BenchmarkRun
import org.megatron.mobile.benchmark.Phone
import org.megatron.mobile.detector.ArtifactFiles
import org.megatron.mobile.media.Camera2
import org.megatron.mobile.media.Cameras
import org.megatron.mobile.media.DecodedVideo
import org.megatron.mobile.media.FaceFinder
import org.megatron.mobile.media.StillFaces
import org.megatron.mobile.media.VideoOpener
import org.megatron.mobile.runtime.ExecuTorchRuntime
import org.megatron.mobile.runtime.programFile
import java.io.File
import java.io.IOException
import java.util.concurrent.Executor
import java.util.concurrent.Executors

/** What the app takes from the phone: all that a test puts something else for. */
class Phoneside(
    val loader: RuntimeLoader,
    val videos: VideoOpener,
    val finder: () -> FaceFinder,
    val cameras: Cameras,
    val files: ArtifactFiles,
    /** The clock of a measurement, in nanoseconds. */
    val nanos: () -> Long,
    /** For checks and measurements, one after another. */
    val worker: Executor,
    /** For what must not wait for those. */
    val quick: Executor,
)

/** The process: what lives longer than a screen. */
open class MegatronApp : Application() {
    lateinit var model: ModelKeeper
        private set
    lateinit var check: CheckController
        private set
    lateinit var live: LiveController
        private set
    lateinit var benchmark: BenchmarkController
        private set

    override fun onCreate() {
        super.onCreate()
        val handler = Handler(Looper.getMainLooper())
        val main = Executor { handler.post(it) }
        val phone = phoneside()
        model = ModelKeeper(phone.files, phone.loader, main)
        check = CheckController(
            model, phone.videos, phone.finder, { videoName(contentResolver, it) }, CheckShelf(File(filesDir, "check")),
            phone.worker, main,
        )
        live = LiveController(model, phone.cameras, phone.quick, main)
        val maker = BenchmarkMaker { benchmarkRun(it, phone.nanos) }
        benchmark = BenchmarkController(model, maker, File(filesDir, "benchmark.json"), phone.worker, main)
        phone.quick.execute { model.opened() }
        check.restore()
    }

    protected open fun phoneside(): Phoneside {
        val files = AssetFiles(assets)
        return Phoneside(
            loader = { manifest, program, threads ->
                ExecuTorchRuntime.load(programFile(files, program, File(filesDir, "program")), manifest, threads)
            },
            videos = { DecodedVideo.open(this, it) },
            finder = ::StillFaces,
            cameras = Camera2(this),
            files = files,
            nanos = System::nanoTime,
            worker = Executors.newSingleThreadExecutor(),
            quick = Executors.newSingleThreadExecutor(),
        )
    }

    private fun benchmarkRun(ready: UiState.Model.Ready, nanos: () -> Long) = BenchmarkRun(
        manifest = ready.manifest,
        program = ready.program,
        phone = Phone("${Build.MANUFACTURER} ${Build.MODEL}", "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})"),
        runtimeVersion = executorchVersion(),
        residentBytes = ::residentBytes,
        nanos = nanos,
    )

    private fun executorchVersion(): String {
        val about = packageManager.getApplicationInfo(packageName, PackageManager.GET_META_DATA)
        return about.metaData?.getString("executorch") ?: "unknown"
    }
}

/** Bytes of this process in memory now; null where the system does not tell. */
private fun residentBytes(): Long? = try {
    val line = File("/proc/self/status").useLines { lines -> lines.firstOrNull { it.startsWith("VmRSS:") } }
    line?.split(Regex("\\s+"))?.get(1)?.toLong()?.times(1024)
} catch (_: IOException) {
    null
}
