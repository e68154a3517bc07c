package org.megatron.mobile.media

/**
 * A few of many faces, evenly spread over a video whose length nobody knows before its end.
 *
 * Every [stride]-th face is kept; when twice as many as wanted have gathered, every second one goes and the stride doubles.
 */
class FaceAlbum(private val most: Int) {
    private val kept = ArrayList<PicturedFace>()
    private var stride = 1
    private var seen = 0

    /** The next face; its picture is made only where it is kept. */
    fun offer(timeMs: Double, picture: () -> Picture) {
        if (seen++ % stride != 0) return
        kept += PicturedFace(timeMs, picture())
        if (kept.size < 2 * most) return
        // Places 0, 2, 4, ... are the faces 0, 2 · stride, 4 · stride, ...
        val half = kept.filterIndexed { place, _ -> place % 2 == 0 }
        kept.clear()
        kept += half
        stride *= 2
    }

    /** At most [most] of them, the first and the last that was kept among them. */
    fun faces(): List<PicturedFace> {
        if (kept.size <= most) return kept.toList()
        return (0 until most).map { kept[it * (kept.size - 1) / (most - 1)] }
    }
}
