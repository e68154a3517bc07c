package org.megatron.mobile.ui

import android.content.Context
import android.graphics.Canvas
import android.graphics.DashPathEffect
import android.graphics.Paint
import android.util.AttributeSet
import android.view.MotionEvent
import android.view.View
import org.megatron.mobile.R
import org.megatron.mobile.detector.Label
import org.megatron.mobile.media.CheckReport
import org.megatron.mobile.media.CheckedWindow

/**
 * The windows of a video over its time: the taller a bar, the likelier a fake; an undecided one is a hollow stub. Where
 * windows overlap each is drawn from its start to the start of the next. A dashed line marks the threshold, another where
 * the video is.
 */
class TimelineView(context: Context, attributes: AttributeSet? = null) : View(context, attributes) {
    private val density = resources.displayMetrics.density
    private val fill = Paint(Paint.ANTI_ALIAS_FLAG)
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply { style = Paint.Style.STROKE }
    private val dashes = DashPathEffect(floatArrayOf(4 * density, 4 * density), 0f)
    private var report: CheckReport? = null
    private var touchedMs = 0.0

    /** Called with the time that somebody tapped, ms. */
    var onSeek: (Double) -> Unit = {}

    /** Where the video is, ms. */
    var positionMs = 0.0
        set(value) {
            field = value
            invalidate()
        }

    fun show(report: CheckReport) {
        this.report = report
        val fakes = report.windows.count { (it.fakeProbability ?: 0.0) >= report.threshold }
        val open = report.windows.count { it.fakeProbability == null }
        contentDescription = resources.getString(R.string.timeline_label, report.windows.size, fakes, open)
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        val shown = report ?: return
        val bottom = height - density
        shown.windows.forEachIndexed { index, window ->
            val end = shown.windows.getOrNull(index + 1)?.startMs ?: maxOf(window.endMs, shown.durationMs)
            drawWindow(canvas, shown, window, x(window.startMs), x(maxOf(end, window.startMs)), bottom)
        }
        drawThreshold(canvas, shown, bottom)
        line.color = context.getColor(R.color.outline)
        line.strokeWidth = density
        canvas.drawLine(0f, bottom, width.toFloat(), bottom, line)
        line.color = context.getColor(R.color.text)
        line.strokeWidth = 2 * density
        val at = x(positionMs).coerceIn(density, width - density)
        canvas.drawLine(at, 0f, at, bottom, line)
    }

    private fun drawThreshold(canvas: Canvas, shown: CheckReport, bottom: Float) {
        line.color = context.getColor(R.color.text_soft)
        line.strokeWidth = density
        line.pathEffect = dashes
        val y = bottom * (1 - shown.threshold.toFloat())
        canvas.drawLine(0f, y, width.toFloat(), y, line)
        line.pathEffect = null
    }

    private fun drawWindow(
        canvas: Canvas, shown: CheckReport, window: CheckedWindow, left: Float, right: Float, bottom: Float,
    ) {
        val probability = window.fakeProbability
        val label = when {
            probability == null -> Label.UNDECIDED
            probability >= shown.threshold -> Label.FAKE
            else -> Label.REAL
        }
        val stub = LEAST_DP * density
        val top = if (probability == null) bottom - STUB_DP * density else minOf(bottom - stub, bottom * (1 - probability.toFloat()))
        val paint = if (probability == null) line else fill
        paint.color = context.getColor(label.colour())
        paint.strokeWidth = density
        val gap = density
        canvas.drawRoundRect(left + gap, top, maxOf(right - gap, left + 2 * gap), bottom, 2 * density, 2 * density, paint)
    }

    private fun x(ms: Double): Float = (ms / (report?.durationMs?.takeIf { it > 0 } ?: 1.0) * width).toFloat()

    override fun onTouchEvent(event: MotionEvent): Boolean {
        if (event.actionMasked == MotionEvent.ACTION_UP) {
            touchedMs = event.x.toDouble().coerceIn(0.0, width.toDouble()) / width * (report?.durationMs ?: 0.0)
            performClick()
        }
        return true
    }

    override fun performClick(): Boolean {
        super.performClick()
        onSeek(touchedMs)
        return true
    }

    private companion object {
        const val LEAST_DP = 4
        const val STUB_DP = 14
    }
}
