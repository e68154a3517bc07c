package org.megatron.mobile.media

import android.media.Image
import android.media.MediaFormat
import org.megatron.mobile.detector.Plane
import org.megatron.mobile.detector.YuvColour
import org.megatron.mobile.detector.YuvFrame

/** The detector's view of a YUV_420_888 [image], upright after turning it clockwise by [rotation]; nothing is copied. */
fun yuvFrame(image: Image, colour: YuvColour, rotation: Int): YuvFrame {
    val (y, u, v) = image.planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
    val crop = image.cropRect
    return YuvFrame(y, u, v, crop.width(), crop.height(), colour, rotation, crop.left, crop.top)
}

/**
 * What a decoder's output [format] says of its colours. What it leaves open is BT.601 in limited range, as in Python;
 * BT.2020, which the detector does not know, is read as BT.709, its nearest.
 */
fun colourOf(format: MediaFormat): YuvColour {
    val standard = when (format.whole(MediaFormat.KEY_COLOR_STANDARD)) {
        MediaFormat.COLOR_STANDARD_BT709, MediaFormat.COLOR_STANDARD_BT2020 -> YuvColour.Standard.BT709
        else -> YuvColour.Standard.BT601
    }
    val full = format.whole(MediaFormat.KEY_COLOR_RANGE) == MediaFormat.COLOR_RANGE_FULL
    return YuvColour.of(standard, if (full) YuvColour.Range.FULL else YuvColour.Range.LIMITED)
}

/** An integer of the format, null where it has none of that name. */
internal fun MediaFormat.whole(key: String): Int? = if (containsKey(key)) getInteger(key) else null
