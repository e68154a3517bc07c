package org.megatron.mobile.media

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class FaceAlbumTest {
    private val picture = Picture(1, 1, intArrayOf(0))

    @Test
    fun `few faces are all kept`() {
        val album = FaceAlbum(12)
        repeat(7) { album.offer(100.0 * it) { picture } }
        assertEquals((0 until 7).map { 100.0 * it }, album.faces().map { it.timeMs })
    }

    @Test
    fun `many faces leave as many as wanted, spread over all of the video`() {
        for (count in listOf(13, 24, 100, 1000)) {
            val album = FaceAlbum(12)
            var made = 0
            repeat(count) { place ->
                album.offer(place.toDouble()) {
                    made++
                    picture
                }
            }
            val times = album.faces().map { it.timeMs }
            assertEquals(12, times.size)
            assertEquals("the first is among them", 0.0, times.first(), 0.0)
            assertTrue("$times of $count reach towards the end", times.last() >= 0.85 * (count - 1))
            val gaps = times.zipWithNext { one, next -> next - one }
            assertTrue("$gaps", gaps.min() > 0 && gaps.max() <= 3 * gaps.min())
            assertTrue("$made pictures were made of $count faces", made <= 12 * 2 + 12 * 7)
        }
    }
}
