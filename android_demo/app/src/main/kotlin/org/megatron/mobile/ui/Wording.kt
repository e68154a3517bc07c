package org.megatron.mobile.ui

import android.content.res.Resources
import org.megatron.mobile.R
import org.megatron.mobile.detector.Label
import org.megatron.mobile.media.CheckFailure
import java.text.NumberFormat
import java.util.Locale
import kotlin.math.roundToLong

/** How figures and labels are said in the language that the phone is set to. */
class Wording(private val resources: Resources) {
    private val locale: Locale get() = resources.configuration.locales[0]

    /** A probability or share in whole per cent; what is not quite 0 or 1 is not said to be. */
    fun percent(share: Double): String {
        val format = NumberFormat.getPercentInstance(locale)
        return when {
            share > 0 && share < 0.01 -> "< " + format.format(0.01)
            share < 1 && share > 0.99 -> "> " + format.format(0.99)
            else -> format.format(share)
        }
    }

    /** A place in a video: minutes, seconds and tenths. */
    fun time(ms: Double): String {
        val tenths = (ms / 100).roundToLong()
        return String.format(locale, "%d:%04.1f", tenths / 600, tenths % 600 / 10.0)
    }

    fun seconds(seconds: Double): String = String.format(locale, "%.1f s", seconds)

    /** With as many decimals as tell calls apart. */
    fun milliseconds(ms: Double): String = number(ms, if (ms < 10) 2 else 1)

    fun number(value: Double, decimals: Int): String = String.format(locale, "%.${decimals}f", value)

    fun verdict(label: Label): String = resources.getString(
        when (label) {
            Label.REAL -> R.string.verdict_real
            Label.FAKE -> R.string.verdict_fake
            Label.UNDECIDED -> R.string.verdict_undecided
        },
    )

    fun window(startMs: Double, endMs: Double, fakeProbability: Double?): String {
        val says = if (fakeProbability == null) resources.getString(R.string.window_undecided)
        else resources.getString(R.string.window_fake, percent(fakeProbability))
        return resources.getString(R.string.window_line, time(startMs), time(endMs), says)
    }

    fun failure(failure: CheckFailure): String = resources.getString(
        when (failure) {
            CheckFailure.NO_VIDEO -> R.string.failed_no_video
            CheckFailure.UNREADABLE -> R.string.failed_unreadable
            CheckFailure.INTERRUPTED -> R.string.failed_interrupted
            CheckFailure.DAMAGED -> R.string.failed_damaged
            CheckFailure.INSIDE -> R.string.failed_inside
            CheckFailure.NO_PICKER -> R.string.failed_no_picker
        },
    )
}

/** The colour of a verdict, by its resource. */
fun Label.colour(): Int = when (this) {
    Label.REAL -> R.color.real
    Label.FAKE -> R.color.fake
    Label.UNDECIDED -> R.color.undecided
}
