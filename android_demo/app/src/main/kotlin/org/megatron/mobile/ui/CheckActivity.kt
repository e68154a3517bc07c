package org.megatron.mobile.ui

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.net.Uri
import android.os.Bundle
import android.widget.Button
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.ProgressBar
import android.widget.TextView
import org.megatron.mobile.R
import org.megatron.mobile.media.CheckFailure
import org.megatron.mobile.media.CheckReport

/** Check a video: choose or receive one, watch the check, read the verdict. */
class CheckActivity : Screen() {
    private var positionMs = 0
    private var drawn: UiState.Check.Finished? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.check)
        positionMs = savedInstanceState?.getInt(POSITION) ?: 0
        for (id in listOf(R.id.choose, R.id.another)) find<Button>(id).setOnClickListener { choose() }
        find<Button>(R.id.cancel).setOnClickListener { app.check.cancel() }
        val film = find<FilmView>(R.id.film)
        val timeline = find<TimelineView>(R.id.timeline)
        film.onPosition = { timeline.positionMs = it }
        film.onGone = { find<TextView>(R.id.video_hint).setText(R.string.video_gone) }
        timeline.onSeek = film::seek
        // A screen that comes back after a turn or a restart has taken its share already.
        if (savedInstanceState == null) receive(intent)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        receive(intent)
    }

    override fun onStop() {
        val film = find<FilmView>(R.id.film)
        positionMs = film.positionMs
        film.close()
        drawn = null
        super.onStop()
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putInt(POSITION, if (drawn == null) positionMs else find<FilmView>(R.id.film).positionMs)
    }

    @Deprecated("The successor is in AndroidX, which this app does without.")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        super.onActivityResult(requestCode, resultCode, data)
        val uri = data?.data ?: return
        if (requestCode != PICK || resultCode != Activity.RESULT_OK) return
        keepReadable(uri)
        begin(uri)
    }

    override fun states() = listOf(app.check.state, app.model.state)

    override fun render() {
        val state = app.check.state.value
        val isIdle = state !is UiState.Check.Running && state !is UiState.Check.Finished
        show(R.id.idle, isIdle)
        show(R.id.running, state is UiState.Check.Running)
        show(R.id.finished, state is UiState.Check.Finished)
        when (state) {
            is UiState.Check.Running -> render(state)
            is UiState.Check.Finished -> render(state)
            is UiState.Check.Idle -> idle(if (state.wasCancelled) getString(R.string.check_cancelled) else null)
            is UiState.Check.Failed -> idle(wording.failure(state.failure))
            is UiState.Check.Refused -> idle(state.why.sentence(resources))
        }
    }

    private fun idle(message: String?) {
        val refusal = refusal()
        say(R.id.message, refusal ?: message)
        for (id in listOf(R.id.intro, R.id.choose, R.id.share_hint)) show(id, refusal == null)
    }

    private fun render(state: UiState.Check.Running) {
        show(R.id.running_again, state.isAgain)
        say(R.id.running_name, state.video.name)
        val progress = state.progress
        val bar = find<ProgressBar>(R.id.running_bar)
        val share = progress.share
        bar.isIndeterminate = share == null || progress.frames == 0
        bar.progress = ((share ?: 0.0) * bar.max).toInt()
        val now = wording.time(progress.timeMs)
        val length = progress.durationMs
        say(
            R.id.running_figures,
            when {
                progress.frames == 0 -> getString(R.string.checking_model)
                length == null -> getString(R.string.check_progress_unknown, now, progress.frames, progress.facesSeen)
                else -> getString(R.string.check_progress, now, wording.time(length), progress.frames, progress.facesSeen)
            },
        )
        val face = progress.face
        find<ImageView>(R.id.running_face).setImageBitmap(
            face?.let { Bitmap.createBitmap(it.pixels, it.width, it.height, Bitmap.Config.ARGB_8888) },
        )
        show(R.id.running_face, face != null)
    }

    private fun render(state: UiState.Check.Finished) {
        if (state == drawn) return
        if (drawn != null) positionMs = 0
        drawn = state
        renderVerdict(state.report)
        say(R.id.video_name, state.video.name)
        find<TextView>(R.id.video_hint).setText(R.string.video_tap)
        val timeline = find<TimelineView>(R.id.timeline)
        timeline.show(state.report)
        timeline.positionMs = positionMs.toDouble()
        val film = find<FilmView>(R.id.film)
        film.close()
        film.show(state.video, state.postcard, positionMs)
        renderFaces(state.faces)
        renderWindows(state.report)
        val cost = state.report.cost
        say(R.id.cost, getString(R.string.verdict_cost, cost.decodeMs, cost.faceMs, cost.lookMs))
    }

    private fun renderVerdict(report: CheckReport) {
        say(R.id.verdict, wording.verdict(report.label))
        find<TextView>(R.id.verdict).setTextColor(getColor(report.label.colour()))
        val probability = report.fakeProbability
        say(
            R.id.probability,
            if (probability == null) getString(R.string.verdict_undecided_why)
            else getString(R.string.verdict_probability, wording.percent(probability)),
        )
        say(R.id.rule, if (probability == null) null else getString(R.string.verdict_rule, wording.percent(report.threshold)))
        say(R.id.coverage, getString(R.string.verdict_coverage, wording.percent(report.coverage), report.frames))
        say(
            R.id.ends_early,
            if (report.endsEarly) getString(R.string.verdict_ends_early, wording.time(report.durationMs)) else null,
        )
    }

    private fun renderFaces(faces: List<FaceFile>) {
        show(R.id.faces_none, faces.isEmpty())
        show(R.id.faces_scroll, faces.isNotEmpty())
        val row = find<LinearLayout>(R.id.faces)
        row.removeAllViews()
        for (face in faces) {
            val view = layoutInflater.inflate(R.layout.face, row, false)
            val time = wording.time(face.timeMs)
            view.findViewById<TextView>(R.id.face_time).text = time
            val picture = view.findViewById<ImageView>(R.id.face_picture)
            picture.setImageBitmap(BitmapFactory.decodeFile(face.file))
            picture.contentDescription = getString(R.string.face_label, time)
            row.addView(view)
        }
    }

    private fun renderWindows(report: CheckReport) {
        val list = find<LinearLayout>(R.id.windows)
        list.removeAllViews()
        for (window in report.windows) {
            val line = layoutInflater.inflate(R.layout.window, list, false) as TextView
            line.text = wording.window(window.startMs, window.endMs, window.fakeProbability)
            line.setOnClickListener { find<FilmView>(R.id.film).seek(window.startMs) }
            list.addView(line)
        }
    }

    private fun choose() {
        val request = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("video/*")
        try {
            startActivityForResult(request, PICK)
        } catch (_: ActivityNotFoundException) {
            app.check.fail(CheckFailure.NO_PICKER)
        }
    }

    private fun receive(intent: Intent) {
        sharedVideo(intent)?.let(::begin)
    }

    private fun begin(uri: Uri) {
        positionMs = 0
        app.check.start(uri.toString())
    }

    /** So that a check can start again, and the video be played, after the process was ended. One video at a time. */
    private fun keepReadable(uri: Uri) {
        try {
            contentResolver.takePersistableUriPermission(uri, Intent.FLAG_GRANT_READ_URI_PERMISSION)
            contentResolver.persistedUriPermissions.map { it.uri }.filter { it != uri }.forEach {
                contentResolver.releasePersistableUriPermission(it, Intent.FLAG_GRANT_READ_URI_PERMISSION)
            }
        } catch (_: SecurityException) {
            // Some pickers lend a video for this run alone.
        }
    }

    private companion object {
        const val PICK = 1
        const val POSITION = "position_ms"
    }
}
