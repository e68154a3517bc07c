package org.megatron.mobile.ui

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View
import org.megatron.mobile.R
import org.megatron.mobile.media.LiveReading

/** The box around the face, over a preview that shows the whole frame; [isMirrored] as the front camera's is. */
class BoxView(context: Context, attributes: AttributeSet? = null) : View(context, attributes) {
    private val paint = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        style = Paint.Style.STROKE
        strokeWidth = STROKE_DP * resources.displayMetrics.density
    }
    private val dark = Paint(paint).apply {
        strokeWidth = 2 * paint.strokeWidth
        color = context.getColor(R.color.behind_video)
    }
    private var reading: LiveReading? = null
    private var isMirrored = false

    init {
        importantForAccessibility = IMPORTANT_FOR_ACCESSIBILITY_NO
    }

    fun show(reading: LiveReading?, isMirrored: Boolean) {
        this.reading = reading
        this.isMirrored = isMirrored
        val isSeen = reading?.box != null
        importantForAccessibility = if (isSeen) IMPORTANT_FOR_ACCESSIBILITY_YES else IMPORTANT_FOR_ACCESSIBILITY_NO
        contentDescription = if (isSeen) resources.getString(R.string.live_box_label) else null
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        val shown = reading ?: return
        val box = shown.box ?: return
        // Light on dark, whatever lies below: the colour of the verdict alone would vanish on some faces.
        paint.color = context.getColor(R.color.box)
        val across = width.toDouble() / shown.frameWidth
        val down = height.toDouble() / shown.frameHeight
        val left = if (isMirrored) width - (box.x + box.w) * across else box.x * across
        val corner = CORNER_DP * resources.displayMetrics.density
        for (stroke in listOf(dark, paint)) {
            canvas.drawRoundRect(
                left.toFloat(), (box.y * down).toFloat(), (left + box.w * across).toFloat(),
                ((box.y + box.h) * down).toFloat(), corner, corner, stroke,
            )
        }
    }

    private companion object {
        const val STROKE_DP = 3f
        const val CORNER_DP = 8f
    }
}
