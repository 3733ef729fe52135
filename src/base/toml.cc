/* SPDX-License-Identifier: BSD-3-Clause-Clear */
/*
 * The one C++ file: toml++ turned into two jansson trees. No C++ object and no exception leaves it.
 */
#include "base/toml_shim.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <string_view>

#include <toml++/toml.h>

/*
 * A configuration holds keys and passwords, and the library copies its input many times. Whatever
 * C++ gives back is overwritten first. These replace the operators of the whole program; nothing
 * else in it is C++.
 */
static void *allocate(std::size_t n)
{
	void *p = std::malloc(n > 0 ? n : 1);

	if (!p)
		throw std::bad_alloc();
	return p;
}

static void release(void *p) noexcept
{
	if (!p)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	std::free(p);
}

void *operator new(std::size_t n)
{
	return allocate(n);
}

void *operator new[](std::size_t n)
{
	return allocate(n);
}

void operator delete(void *p) noexcept
{
	release(p);
}

void operator delete[](void *p) noexcept
{
	release(p);
}

void operator delete(void *p, std::size_t) noexcept
{
	release(p);
}

void operator delete[](void *p, std::size_t) noexcept
{
	release(p);
}

namespace
{

struct too_deep {
};

/* jansson takes C strings as keys; one with a NUL inside is refused rather than cut */
struct key_with_nul {
	toml::source_position where;
};

struct json_deleter {
	void operator()(json_t *v) const
	{
		json_decref(v);
	}
};
using json_ptr = std::unique_ptr<json_t, json_deleter>;

json_ptr own(json_t *v)
{
	if (!v)
		throw std::bad_alloc();
	return json_ptr(v);
}

void set(json_t *object, const std::string &key, json_ptr value)
{
	if (json_object_set_new(object, key.c_str(), value.release()) != 0)
		throw std::bad_alloc();
}

json_ptr text(const std::string &s)
{
	return own(json_stringn(s.data(), s.size()));
}

/* {"line": N} */
json_ptr place(const toml::node &n)
{
	json_ptr p = own(json_object());

	set(p.get(), "line", own(json_integer(n.source().begin.line)));
	return p;
}

json_ptr convert(const toml::node &n, json_t *lines, unsigned depth);

/* One member of a table or array: its value, and its line put into `lines` under `key`. */
json_ptr convert_member(const toml::node &n, const std::string &key, json_t *lines, unsigned depth)
{
	json_ptr below = own(json_object());
	json_ptr here = place(n);
	json_ptr value = convert(n, below.get(), depth);

	set(here.get(), "of", std::move(below));
	set(lines, key, std::move(here));
	return value;
}

json_ptr convert(const toml::node &n, json_t *lines, unsigned depth)
{
	if (depth == 0)
		throw too_deep();
	if (const toml::table *t = n.as_table()) {
		json_ptr out = own(json_object());

		for (auto &&[key, child] : *t) {
			const std::string name(key.str());

			if (name.find('\0') != std::string::npos)
				throw key_with_nul{child.source().begin};
			set(out.get(), name, convert_member(child, name, lines, depth - 1));
		}
		return out;
	}
	if (const toml::array *a = n.as_array()) {
		json_ptr out = own(json_array());
		size_t i = 0;

		for (auto &&child : *a) {
			json_ptr v = convert_member(child, std::to_string(i++), lines, depth - 1);

			if (json_array_append_new(out.get(), v.release()) != 0)
				throw std::bad_alloc();
		}
		return out;
	}
	if (const auto *s = n.as_string())
		return text(s->get());
	if (const auto *i = n.as_integer())
		return own(json_integer(i->get()));
	if (const auto *b = n.as_boolean())
		return own(json_boolean(b->get()));
	if (const auto *f = n.as_floating_point(); f && std::isfinite(f->get()))
		return own(json_real(f->get()));

	/* Dates, times, and the floats that JSON has no form for. */
	std::ostringstream out;

	n.visit([&out](const auto &v) {
		if constexpr (toml::is_value<decltype(v)>)
			out << v;
	});
	return text(out.str());
}

toml_shim_result syntax(struct toml_shim_error *error, toml::source_position where,
			std::string_view why)
{
	const size_t len =
		why.size() < sizeof(error->why) - 1 ? why.size() : sizeof(error->why) - 1;

	error->line = where.line;
	error->column = where.column;
	std::memcpy(error->why, why.data(), len);
	error->why[len] = '\0';
	return TOML_SHIM_SYNTAX;
}

} // namespace

extern "C" enum toml_shim_result toml_shim_parse(const char *in, size_t n, unsigned depth_max,
						 json_t **ret_doc, json_t **ret_lines,
						 struct toml_shim_error *error)
{
	try {
		const toml::table doc = toml::parse(std::string_view(in, n));
		json_ptr lines = own(json_object());
		json_ptr value = convert(doc, lines.get(), depth_max);

		*ret_doc = value.release();
		*ret_lines = lines.release();
		return TOML_SHIM_OK;
	} catch (const toml::parse_error &e) {
		return syntax(error, e.source().begin, e.description());
	} catch (const key_with_nul &e) {
		return syntax(error, e.where, "a key must not contain U+0000");
	} catch (const too_deep &) {
		return TOML_SHIM_DEPTH;
	} catch (...) {
		return TOML_SHIM_NOMEM;
	}
}
