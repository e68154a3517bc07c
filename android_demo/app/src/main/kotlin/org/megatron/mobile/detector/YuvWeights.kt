package org.megatron.mobile.detector

import kotlin.math.roundToInt

/**
 * The matrix from Y'CbCr to R'G'B' of one [YuvColour], as whole numbers of 1 / 65536 (ITU-R BT.601-7, BT.709-6).
 *
 * With the weights r and b of red and blue in luma: R = Y + 2 (1 - r) Cr, B = Y + 2 (1 - b) Cb, and green is what is
 * left. In limited range luma is first stretched by 255 / 219 from 16 and chroma by 255 / 224.
 */
internal class YuvWeights private constructor(colour: YuvColour) {
    private val luma: Int
    private val black: Int
    val redOfCr: Int
    val greenOfCb: Int
    val greenOfCr: Int
    val blueOfCb: Int

    init {
        val limited = colour.range == YuvColour.Range.LIMITED
        val stretch = if (limited) 255.0 / 219 else 1.0
        val chroma = if (limited) 255.0 / 224 else 1.0
        val (r, b) = colour.standard.red to colour.standard.blue
        val g = 1 - r - b
        luma = fixed(stretch)
        // Half a level is added here once, so that dropping the fraction rounds.
        black = (if (limited) -16 * luma else 0) + (1 shl BITS - 1)
        redOfCr = fixed(2 * (1 - r) * chroma)
        blueOfCb = fixed(2 * (1 - b) * chroma)
        greenOfCr = -fixed(2 * (1 - r) * r / g * chroma)
        greenOfCb = -fixed(2 * (1 - b) * b / g * chroma)
    }

    /** What luma alone gives to each of the three. */
    fun bright(y: Int): Int = y * luma + black

    private fun fixed(value: Double): Int = (value * (1 shl BITS)).roundToInt()

    companion object {
        const val BITS = 16
        private val all = YuvColour.entries.map(::YuvWeights)

        fun of(colour: YuvColour): YuvWeights = all[colour.ordinal]
    }
}
