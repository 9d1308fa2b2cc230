#include "image/picture.h"
#include "photos.h"
#include "unit.h"

static const struct {
	const char *file;
	enum picture_format format;
} real[] = {
	{ "seeding-4k.jpg", PICTURE_JPEG },
	{ "progressive.jpg", PICTURE_JPEG },
	{ "photo.png", PICTURE_PNG },
	{ "photo.gif", PICTURE_GIF },
	{ "photo.webp", PICTURE_WEBP },
	{ "photo.avif", PICTURE_AVIF },
	{ "photo.heic", PICTURE_HEIC },
};

TEST(real_pictures_are_told_by_their_first_bytes)
{
	for (size_t i = 0; i < sizeof real / sizeof real[0]; i++) {
		struct photo *photo = photo_read(real[i].file);

		if (picture_sniff(photo_span(photo)) != real[i].format)
			fail_msg("%s is not told", real[i].file);
		/* and by no fewer than identify them */
		assert_int_equal(picture_sniff(span_of(photo->data, 2)), PICTURE_NONE);
		free(photo);
	}
}

TEST(other_bytes_are_no_picture)
{
	const struct span other[] = {
		SPAN(""), SPAN("\xff\xd8"), SPAN("GIF88a......"), SPAN("GIF8"),
		SPAN("\x89PNG\n\r\x1a\n...."), SPAN("RIFF....WAVEfmt "),
		SPAN("<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
		SPAN("<html><script>alert(1)</script>"), SPAN("BM......"), SPAN("II*\0"),
		SPAN("%PDF-1.4"), SPAN("PK\3\4"),
		SPAN("\0\0\0\x18"
		     "ftypmp42\0\0\0\0mp41isom"), /* a film */
		SPAN("\0\0\0\x18"
		     "ftypmif1\0\0\0\0mif1xxxx"), /* no picture that we know */
		SPAN("\0\0\0\x10"
		     "ftypmif1\0\0\0\0avif"), /* avif is behind the box */
		SPAN("\xff\xff\xff\xff"
		     "ftypmif1\0\0\0\0mif1avif"), /* a box longer than the file */
	};

	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
		if (picture_sniff(other[i]) != PICTURE_NONE)
			fail_msg("text %zu is taken for a picture", i);
}

TEST(a_general_brand_leaves_it_to_the_compatible_ones)
{
	assert_int_equal(picture_sniff(SPAN("\0\0\0\x18"
					    "ftypmif1\0\0\0\0mif1avif")),
		PICTURE_AVIF);
	assert_int_equal(picture_sniff(SPAN("\0\0\0\x18"
					    "ftypmif1\0\0\0\0mif1heic")),
		PICTURE_HEIC);
}

TEST(knows_the_words_that_clients_use)
{
	static const struct {
		const char *word;
		enum picture_format format;
	} words[] = {
		{ "jpg", PICTURE_JPEG },
		{ "JPEG", PICTURE_JPEG },
		{ "image/jpeg", PICTURE_JPEG },
		{ "image/pjpeg", PICTURE_JPEG },
		{ "Image/JPG; charset=binary", PICTURE_JPEG },
		{ ".jpg", PICTURE_JPEG },
		{ " png ", PICTURE_PNG },
		{ "image/x-png", PICTURE_PNG },
		{ "gif", PICTURE_GIF },
		{ "webp", PICTURE_WEBP },
		{ "image/avif", PICTURE_AVIF },
		{ "heif", PICTURE_HEIC },
		{ "", PICTURE_NONE },
		{ ".", PICTURE_NONE },
		{ ";", PICTURE_NONE },
		{ "image/", PICTURE_NONE },
		{ "none", PICTURE_NONE },
		{ "jpgg", PICTURE_NONE },
		{ "application/octet-stream", PICTURE_NONE },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (picture_format_of(span_str(words[i].word)) != words[i].format)
			fail_msg("'%s' means something else", words[i].word);
}

TEST(every_format_has_names)
{
	for (int format = PICTURE_NONE + 1; format < PICTURE_FORMATS; format++) {
		enum picture_format f = (enum picture_format)format;

		assert_int_equal(picture_format_of(span_str(picture_name(f))), f);
		assert_int_equal(picture_format_of(span_str(picture_mime(f))), f);
		assert_int_equal(picture_format_of(span_str(picture_extension(f))), f);
	}
}
