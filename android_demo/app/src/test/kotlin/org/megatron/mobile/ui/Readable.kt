package org.megatron.mobile.ui

import android.app.Activity
import android.graphics.Color
import android.graphics.Rect
import android.graphics.drawable.ColorDrawable
import android.graphics.drawable.Drawable
import android.graphics.drawable.GradientDrawable
import android.graphics.drawable.RippleDrawable
import android.view.View
import android.view.ViewGroup
import android.widget.HorizontalScrollView
import android.widget.ImageView
import android.widget.TextView
import org.junit.Assert.assertTrue
import kotlin.math.pow

/** Everything that is below [view], itself first. */
fun everything(view: View): List<View> =
    listOf(view) + if (view is ViewGroup) (0 until view.childCount).flatMap { everything(view.getChildAt(it)) } else emptyList()

/** What a person with any eyes, or none, must find on every screen. */
fun assertReadable(activity: Activity) {
    val content = activity.findViewById<ViewGroup>(android.R.id.content)
    val shown = everything(content).filter(View::isShown)
    for (view in shown) {
        if (view is TextView && view.text.isNotEmpty()) assertText(view, content)
        if (view.isClickable) assertTouchable(view)
        if (view is ImageView && view.importantForAccessibility != View.IMPORTANT_FOR_ACCESSIBILITY_NO) {
            assertTrue("a picture without a description", !view.contentDescription.isNullOrEmpty())
        }
    }
}

private fun assertText(view: TextView, content: ViewGroup) {
    val text = view.text.toString()
    val layout = view.layout ?: throw AssertionError("\"$text\" was not laid out")
    val width = view.width - view.compoundPaddingLeft - view.compoundPaddingRight
    assertTrue("\"$text\" is cut off", layout.height <= view.height - view.compoundPaddingTop - view.compoundPaddingBottom)
    assertTrue("\"$text\" ends early", layout.getLineEnd(layout.lineCount - 1) == text.length)
    for (line in 0 until layout.lineCount) {
        assertTrue("\"$text\" ends in dots", layout.getEllipsisCount(line) == 0)
        assertTrue("\"$text\" is wider than its place", layout.getLineMax(line) <= width + 1)
        val end = layout.getLineEnd(line)
        val isWhole = end == text.length || text[end - 1].isWhitespace() || wordAround(text, end).length > LONGEST_WORD
        assertTrue("\"$text\" is broken inside a word", isWhole)
    }
    if (generateSequence(view.parent) { it.parent }.none { it is HorizontalScrollView }) {
        val place = Rect(0, 0, view.width, view.height)
        content.offsetDescendantRectToMyCoords(view, place)
        assertTrue("\"$text\" leaves the screen", place.left >= 0 && place.right <= content.width)
    }
    val contrast = contrast(view.currentTextColor, ground(view))
    assertTrue("\"$text\" has a contrast of $contrast", contrast >= LEAST_CONTRAST)
}

private fun wordAround(text: String, place: Int): String =
    text.substring(0, place).takeLastWhile { !it.isWhitespace() } + text.substring(place).takeWhile { !it.isWhitespace() }

private fun assertTouchable(view: View) {
    val name = (view as? TextView)?.text?.takeIf(CharSequence::isNotEmpty) ?: view.contentDescription
    assertTrue("${view.javaClass.simpleName} can be tapped and has no name", !name.isNullOrEmpty())
    val least = LEAST_TOUCH_DP * view.resources.displayMetrics.density
    assertTrue("\"$name\" is ${view.width} × ${view.height} px", view.height >= least && view.width >= least)
}

/** The colour behind [view]. */
private fun ground(view: View): Int = generateSequence<Any>(view) { (it as? View)?.parent }
    .filterIsInstance<View>()
    .firstNotNullOf { behind -> behind.background?.let(::colour) }

private fun colour(drawable: Drawable): Int? = when (drawable) {
    is ColorDrawable -> drawable.color
    is GradientDrawable -> drawable.color?.defaultColor
    is RippleDrawable -> (0 until drawable.numberOfLayers).filter { drawable.getId(it) != android.R.id.mask }
        .firstNotNullOfOrNull { colour(drawable.getDrawable(it)) }
    else -> null
}?.takeIf { Color.alpha(it) == 0xff }

/** As WCAG 2 has it: 1 to 21. */
private fun contrast(one: Int, other: Int): Double {
    val (darker, lighter) = listOf(luminance(one), luminance(other)).sorted()
    return (lighter + 0.05) / (darker + 0.05)
}

private fun luminance(colour: Int): Double {
    fun linear(level: Int): Double = (level / 255.0).let { if (it <= 0.04045) it / 12.92 else ((it + 0.055) / 1.055).pow(2.4) }
    return 0.2126 * linear(Color.red(colour)) + 0.7152 * linear(Color.green(colour)) + 0.0722 * linear(Color.blue(colour))
}

private const val LEAST_CONTRAST = 4.5
private const val LEAST_TOUCH_DP = 48

/** Longer ones are names of files: they break where they must. */
private const val LONGEST_WORD = 18
