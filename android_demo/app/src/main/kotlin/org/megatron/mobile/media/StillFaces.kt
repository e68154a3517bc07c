package org.megatron.mobile.media

import android.graphics.Bitmap
import android.graphics.PointF
import android.media.FaceDetector
import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.FaceBoxes
import org.megatron.mobile.detector.Frame

/** Faces on one frame, in its upright pixels. One thread at a time. */
fun interface FaceFinder {
    fun find(frame: Frame): List<Box>
}

/** The framework's detector for still pictures, which needs no model of ours and no services of anybody. */
class StillFaces : FaceFinder {
    private val grey = GreyPicture()
    private val faces = arrayOfNulls<FaceDetector.Face>(MOST_FACES)
    private val middle = PointF()
    private var bitmap: Bitmap? = null
    private var detector: FaceDetector? = null

    override fun find(frame: Frame): List<Box> {
        if (!grey.fill(frame)) return emptyList()
        val (picture, search) = prepared(grey.width, grey.height)
        picture.setPixels(grey.pixels, 0, grey.width, 0, 0, grey.width, grey.height)
        val count = search.findFaces(picture, faces)
        return (0 until count).mapNotNull { faces[it] }.map { face ->
            face.getMidPoint(middle)
            // Pixel centres: the middle of a block of `factor` pixels.
            val half = (grey.factor - 1) / 2.0
            FaceBoxes.fromEyes(
                midX = grey.factor * middle.x + half,
                midY = grey.factor * middle.y + half,
                eyesDistance = grey.factor * face.eyesDistance().toDouble(),
            )
        }
    }

    private fun prepared(width: Int, height: Int): Pair<Bitmap, FaceDetector> {
        val old = bitmap
        if (old == null || old.width != width || old.height != height) {
            old?.recycle()
            // The detector takes no other configuration.
            bitmap = Bitmap.createBitmap(width, height, Bitmap.Config.RGB_565)
            detector = FaceDetector(width, height, MOST_FACES)
        }
        return bitmap!! to detector!!
    }

    private companion object {
        const val MOST_FACES = 4
    }
}
