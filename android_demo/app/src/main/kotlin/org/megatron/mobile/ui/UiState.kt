package org.megatron.mobile.ui

import org.megatron.mobile.benchmark.BenchmarkPlan
import org.megatron.mobile.benchmark.BenchmarkProgress
import org.megatron.mobile.benchmark.BenchmarkRow
import org.megatron.mobile.detector.ArtifactRow
import org.megatron.mobile.detector.Manifest
import org.megatron.mobile.media.CameraChoice
import org.megatron.mobile.media.CheckFailure
import org.megatron.mobile.media.CheckProgress
import org.megatron.mobile.media.CheckReport
import org.megatron.mobile.media.LiveReading

/** A video that somebody chose. */
data class VideoRef(val uri: String, val name: String)

/** A face of a finished check; [file] holds its picture. */
data class FaceFile(val timeMs: Double, val file: String)

/** What the screens show. Every screen draws one of these and knows nothing else. */
sealed interface UiState {
    /** The bundled model, which every screen needs first. */
    sealed interface Model : UiState {
        data object Opening : Model

        data class Ready(val manifest: Manifest, val program: ArtifactRow) : Model

        data class Refused(val why: Refusal) : Model
    }

    sealed interface Check : UiState {
        /** Nothing chosen; [wasCancelled] right after a check was. */
        data class Idle(val wasCancelled: Boolean = false) : Check

        /** [isAgain]: it had been running when the app was closed, and starts again. */
        data class Running(val video: VideoRef, val progress: CheckProgress, val isAgain: Boolean) : Check

        data class Finished(
            val video: VideoRef, val report: CheckReport, val postcard: String?, val faces: List<FaceFile>,
        ) : Check

        data class Failed(val failure: CheckFailure) : Check

        data class Refused(val why: Refusal) : Check
    }

    sealed interface Live : UiState {
        /** The camera was not asked for yet. */
        data object NeedsPermission : Live

        data object Denied : Live

        data object NoCamera : Live

        data class Starting(val camera: CameraChoice, val others: Boolean) : Live

        data class Watching(val camera: CameraChoice, val others: Boolean, val reading: LiveReading) : Live

        data object CameraStopped : Live

        data class Refused(val why: Refusal) : Live
    }

    sealed interface Benchmark : UiState {
        /** [wasCancelled] right after a measurement was. */
        data class Idle(val wasCancelled: Boolean = false) : Benchmark

        data class Running(val plan: BenchmarkPlan, val progress: BenchmarkProgress?) : Benchmark

        data class Finished(val rows: List<BenchmarkRow>) : Benchmark

        /** What the intent asked for cannot be measured. */
        data class BadRequest(val fault: BenchmarkPlan.Fault) : Benchmark

        data object Failed : Benchmark

        data class Refused(val why: Refusal) : Benchmark
    }
}
