package org.megatron.mobile.ui

import android.Manifest
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Bundle
import android.provider.Settings
import android.view.SurfaceHolder
import android.view.SurfaceView
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.TextView
import org.megatron.mobile.R
import org.megatron.mobile.detector.WINDOW
import org.megatron.mobile.media.CameraChoice
import org.megatron.mobile.media.LiveReading

/** Live: what the camera shows, the box around the face, the running probability and what a frame costs. */
class LiveActivity : Screen(), SurfaceHolder.Callback {
    private var isSurfaceReady = false

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.live)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        find<SurfaceView>(R.id.preview).holder.addCallback(this)
        find<Button>(R.id.allow).setOnClickListener { requestPermissions(arrayOf(Manifest.permission.CAMERA), CAMERA) }
        find<Button>(R.id.settings).setOnClickListener {
            startActivity(Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, Uri.fromParts("package", packageName, null)))
        }
        find<Button>(R.id.other_camera).setOnClickListener {
            app.live.switchCamera()
            app.live.prepare()
        }
    }

    override fun onStart() {
        super.onStart()
        if (isAllowed()) app.live.prepare()
    }

    override fun onStop() {
        app.live.end()
        super.onStop()
    }

    override fun onRequestPermissionsResult(requestCode: Int, permissions: Array<out String>, grantResults: IntArray) {
        super.onRequestPermissionsResult(requestCode, permissions, grantResults)
        // No results at all: the question was interrupted, not answered.
        if (requestCode != CAMERA || grantResults.isEmpty()) return
        if (isAllowed()) app.live.prepare() else app.live.denied()
    }

    override fun surfaceCreated(holder: SurfaceHolder) = Unit

    override fun surfaceChanged(holder: SurfaceHolder, format: Int, width: Int, height: Int) {
        isSurfaceReady = true
        begin()
    }

    override fun surfaceDestroyed(holder: SurfaceHolder) {
        isSurfaceReady = false
        app.live.end()
    }

    override fun states() = listOf(app.live.state, app.model.state)

    override fun render() {
        val refusal = refusal()
        val state = app.live.state.value
        val isWatching = refusal == null && (state is UiState.Live.Watching || state is UiState.Live.Starting)
        show(R.id.asking, !isWatching)
        show(R.id.watching, isWatching)
        show(R.id.allow, refusal == null && (state is UiState.Live.NeedsPermission || state is UiState.Live.Denied))
        show(R.id.settings, refusal == null && state is UiState.Live.Denied)
        if (refusal != null) return say(R.id.message, refusal)
        when (state) {
            UiState.Live.NeedsPermission -> say(R.id.message, getString(R.string.live_permission))
            UiState.Live.Denied -> say(R.id.message, getString(R.string.live_denied))
            UiState.Live.NoCamera -> say(R.id.message, getString(R.string.live_no_camera))
            UiState.Live.CameraStopped -> say(R.id.message, getString(R.string.live_camera_failed))
            is UiState.Live.Refused -> say(R.id.message, state.why.sentence(resources))
            is UiState.Live.Starting -> {
                makeRoom(state.camera, state.others)
                render(null, state.camera)
                begin()
            }
            is UiState.Live.Watching -> {
                makeRoom(state.camera, state.others)
                render(state.reading, state.camera)
            }
        }
    }

    private fun render(reading: LiveReading?, camera: CameraChoice) {
        find<BoxView>(R.id.box).show(reading, isMirrored = camera.isFront)
        val probability = reading?.fakeProbability
        say(
            R.id.verdict,
            when {
                reading == null -> getString(R.string.live_starting)
                reading.coverage == null -> getString(R.string.live_collecting, reading.collected, WINDOW)
                else -> wording.verdict(reading.label)
            },
        )
        val colour = if (reading?.coverage == null) R.color.text else reading.label.colour()
        find<TextView>(R.id.verdict).apply {
            setTextColor(getColor(colour))
            // TalkBack tells a new verdict by itself, but does not count frames aloud.
            accessibilityLiveRegion = if (reading?.coverage == null) View.ACCESSIBILITY_LIVE_REGION_NONE
            else View.ACCESSIBILITY_LIVE_REGION_POLITE
        }
        say(
            R.id.probability,
            when {
                probability != null -> getString(R.string.live_probability, wording.percent(probability))
                reading != null && reading.box == null -> getString(R.string.live_no_face)
                else -> null
            },
        )
        say(R.id.coverage, reading?.coverage?.let { getString(R.string.live_coverage, wording.percent(it)) })
        say(R.id.cost, reading?.frameMs?.let { getString(R.string.live_cost, it) })
    }

    private fun makeRoom(camera: CameraChoice, others: Boolean) {
        show(R.id.other_camera, others)
        val isTurned = camera.rotation(displayDegrees()) % 180 != 0
        val (across, down) = if (isTurned) camera.height to camera.width else camera.width to camera.height
        val frame = find<AspectFrame>(R.id.view)
        val aspect = across.toDouble() / down
        if (frame.aspect != aspect) frame.aspect = aspect
        find<SurfaceView>(R.id.preview).holder.setFixedSize(camera.width, camera.height)
    }

    private fun begin() {
        if (isSurfaceReady) app.live.begin(find<SurfaceView>(R.id.preview).holder, displayDegrees())
    }

    @Suppress("DEPRECATION") // Its successor needs API 30.
    private fun displayDegrees(): Int = windowManager.defaultDisplay.rotation * 90

    private fun isAllowed() = checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED

    private companion object {
        const val CAMERA = 1
    }
}
