package org.megatron.mobile.ui

import android.content.Context
import android.util.AttributeSet
import android.widget.FrameLayout
import kotlin.math.roundToInt

/** As wide as it may be in the shape of a picture, and no higher than most of the screen. */
open class AspectFrame(context: Context, attributes: AttributeSet? = null) : FrameLayout(context, attributes) {
    /** Width over height. */
    var aspect = 4.0 / 3
        set(value) {
            field = value
            requestLayout()
        }

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val most = resources.displayMetrics.heightPixels * MOST_OF_THE_SCREEN
        val width = MeasureSpec.getSize(widthMeasureSpec)
        val height = minOf(width / aspect, most)
        super.onMeasure(exactly(minOf(width.toDouble(), height * aspect)), exactly(height))
        // Its children keep the picture's shape; it takes the whole width, for its background and its place.
        val shape = measuredWidth
        setMeasuredDimension(width, measuredHeight)
        inset = (width - shape) / 2
    }

    private var inset = 0

    override fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) {
        for (index in 0 until childCount) {
            getChildAt(index).layout(inset, 0, right - left - inset, bottom - top)
        }
    }

    private fun exactly(size: Double) = MeasureSpec.makeMeasureSpec(size.roundToInt(), MeasureSpec.EXACTLY)

    private companion object {
        const val MOST_OF_THE_SCREEN = 0.55
    }
}
