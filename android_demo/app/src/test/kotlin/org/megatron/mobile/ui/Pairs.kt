package org.megatron.mobile.ui

/**
 * Combinations of one value of each of [factors] such that every pair of values of two different factors is in one of
 * them: as few as a greedy search finds, the same ones every time. Values are given by their place.
 */
fun pairwise(factors: List<Int>): List<List<Int>> {
    val open = LinkedHashSet<List<Int>>()
    for (first in factors.indices) for (second in first + 1 until factors.size) {
        for (a in 0 until factors[first]) for (b in 0 until factors[second]) open += listOf(first, a, second, b)
    }
    val all = factors.fold(listOf(emptyList<Int>())) { rows, count -> rows.flatMap { row -> (0 until count).map { row + it } } }
    val chosen = ArrayList<List<Int>>()
    while (open.isNotEmpty()) {
        val best = all.maxByOrNull { row -> open.count { it.isIn(row) } }!!
        chosen += best
        open.removeIf { it.isIn(best) }
    }
    return chosen
}

private fun List<Int>.isIn(row: List<Int>) = row[this[0]] == this[1] && row[this[2]] == this[3]

/** How a phone may be set when a screen starts. */
data class Setting(val orientation: String, val theme: String, val language: String, val fontScale: Float) {
    /** As Robolectric takes it: a small phone of 360 by 740 dp, of middling density so that pictures stay small. */
    val qualifiers: String
        get() {
            val size = if (orientation == "port") "w360dp-h740dp" else "w740dp-h360dp"
            val country = if (language == "it") "it-rIT" else "en-rUS"
            return "$country-$size-normal-long-notround-any-$orientation-$theme-xhdpi"
        }

    override fun toString() = "$orientation-$theme-$language-font$fontScale"

    companion object {
        private val orientations = listOf("port", "land")
        private val themes = listOf("notnight", "night")
        private val languages = listOf("en", "it")

        /** As it comes, a little larger, and the largest that phones offer. */
        private val fontScales = listOf(1f, 1.3f, 2f)

        /** Every pair of two different choices. */
        val pairs: List<Setting> = pairwise(listOf(2, 2, 2, 3)).map { (orientation, theme, language, scale) ->
            Setting(orientations[orientation], themes[theme], languages[language], fontScales[scale])
        }
    }
}
