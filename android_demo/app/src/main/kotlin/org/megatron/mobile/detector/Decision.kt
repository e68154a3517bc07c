package org.megatron.mobile.detector

import kotlin.math.exp

enum class Label { REAL, FAKE, UNDECIDED }

/** What `classify` says of one window. */
data class Logits(val real: Double, val fake: Double)

/** How frames are picked, windows are formed and logits become a verdict: plain arithmetic, the same in every language. */
data class Decision(
    /** Sampled frames a second. */
    val frameRate: Double,
    /** Samples between the ends of two windows, 1..20. */
    val hop: Int,
    /** Valid ÷ sampled below which nothing is decided. */
    val minCoverage: Double,
    /** Divides the mean logits before the softmax. */
    val temperature: Double,
    /** Fake at or above this probability. */
    val threshold: Double,
) {
    /** softmax(mean logits ÷ temperature)[fake] of the decided [windows], null where there is none. */
    fun probability(windows: List<Logits>): Double? {
        if (windows.isEmpty()) return null
        return probabilityOfMargin(windows.sumOf { it.fake - it.real } / windows.size)
    }

    /** The same of one window. */
    fun probability(window: Logits): Double = probabilityOfMargin(window.fake - window.real)

    /** The verdict on a probability; null is a video without a decided window. */
    fun label(probability: Double?): Label = when {
        probability == null -> Label.UNDECIDED
        probability >= threshold -> Label.FAKE
        else -> Label.REAL
    }

    private fun probabilityOfMargin(margin: Double): Double {
        val scaled = margin / temperature
        // The two-class softmax as a logistic function, on the side that cannot overflow.
        return if (scaled >= 0) 1 / (1 + exp(-scaled)) else 1 - 1 / (1 + exp(scaled))
    }
}

/** Whether a window ends with the [samples]-th sample (counted from 1): at 20, 20 + hop, 20 + 2 hop, ... */
fun closesWindow(samples: Int, hop: Int): Boolean = samples >= WINDOW && (samples - WINDOW) % hop == 0
