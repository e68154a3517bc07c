package org.megatron.mobile.ui

import android.content.Context
import android.graphics.BitmapFactory
import android.media.AudioManager
import android.net.Uri
import android.util.AttributeSet
import android.view.View
import android.widget.FrameLayout
import android.widget.ImageView
import android.widget.VideoView
import org.megatron.mobile.R

/** The checked video: a still picture until somebody taps it, then the video, which another tap stops and goes on with. */
class FilmView(context: Context, attributes: AttributeSet? = null) : AspectFrame(context, attributes) {
    private val video = VideoView(context)
    private val still = ImageView(context)
    private var uri: String? = null
    private var isReady = false
    private var wantedMs = 0

    /** Called while the video plays or is moved, with the place, ms. */
    var onPosition: (Double) -> Unit = {}

    /** Called when the phone cannot play the video, or not any more. */
    var onGone: () -> Unit = {}

    /** Where the video is, ms. */
    val positionMs: Int get() = if (isReady) video.currentPosition else wantedMs

    val isPlaying: Boolean get() = isReady && video.isPlaying

    init {
        setBackgroundColor(context.getColor(R.color.behind_video))
        val whole = LayoutParams(LayoutParams.MATCH_PARENT, LayoutParams.MATCH_PARENT)
        addView(video, whole)
        addView(still, FrameLayout.LayoutParams(whole))
        still.scaleType = ImageView.ScaleType.FIT_CENTER
        video.visibility = View.INVISIBLE
        for (view in listOf(video, still)) view.importantForAccessibility = IMPORTANT_FOR_ACCESSIBILITY_NO
        isFocusable = true
        setOnClickListener { toggle() }
        // Looking at a checked video again need not silence the music that plays.
        video.setAudioFocusRequest(AudioManager.AUDIOFOCUS_NONE)
        video.setOnPreparedListener {
            isReady = true
            aspect = it.videoWidth.toDouble() / it.videoHeight.coerceAtLeast(1)
            video.seekTo(wantedMs)
            video.start()
            follow()
        }
        video.setOnErrorListener { _, _, _ ->
            close()
            onGone()
            true
        }
    }

    /** Show [video], from [positionMs] on; [postcard] is the file of its still picture. */
    fun show(video: VideoRef, postcard: String?, positionMs: Int) {
        if (uri == video.uri) return
        close()
        uri = video.uri
        wantedMs = positionMs
        contentDescription = resources.getString(R.string.video_label, video.name)
        val bitmap = postcard?.let(BitmapFactory::decodeFile)
        still.setImageBitmap(bitmap)
        if (bitmap != null) aspect = bitmap.width.toDouble() / bitmap.height
    }

    /** Go to [ms]; a video that was not started yet will begin there. */
    fun seek(ms: Double) {
        wantedMs = ms.toInt()
        if (isReady) video.seekTo(wantedMs)
        onPosition(ms)
    }

    /** Stop and let go of the video; the still picture stays. */
    fun close() {
        wantedMs = positionMs
        isReady = false
        uri = null
        removeCallbacks(tick)
        video.stopPlayback()
        video.visibility = View.INVISIBLE
        still.visibility = View.VISIBLE
    }

    private fun toggle() {
        when {
            !isReady -> begin()
            video.isPlaying -> video.pause()
            else -> {
                video.start()
                follow()
            }
        }
    }

    private fun begin() {
        val wanted = uri ?: return
        video.visibility = View.VISIBLE
        still.visibility = View.INVISIBLE
        try {
            video.setVideoURI(Uri.parse(wanted))
        } catch (_: SecurityException) {
            close()
            onGone()
        }
    }

    private val tick = Runnable { follow() }

    private fun follow() {
        onPosition(positionMs.toDouble())
        removeCallbacks(tick)
        if (isPlaying) postDelayed(tick, TICK_MS)
    }

    private companion object {
        const val TICK_MS = 100L
    }
}
