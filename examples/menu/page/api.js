/** The app's API: menus from their own backend, kept fresh by events. There is nothing of Ratecast in the queries. */
import { createApi } from "@reduxjs/toolkit/query"

/** `onEvent`: an `onCacheEntryAdded` that hears of the last event of the company that is asked for. */
export const makeApi = ({ baseQuery, onEvent }) => {
  const api = createApi({
    baseQuery,
    tagTypes: ["Menu"],
    endpoints: (build) => ({
      companies: build.query({ query: () => "companies" }),
      menu: build.query({
        query: (company) => `menus/${company}`,
        providesTags: (_menu, _error, company) => [{ type: "Menu", id: company }],
        onCacheEntryAdded: onEvent(({ version }, { dispatch, getCacheEntry }, company) => {
          if (version > (getCacheEntry().data?.version ?? 0))
            dispatch(api.util.invalidateTags([{ type: "Menu", id: company }]))
        })
      })
    })
  })
  return api
}
